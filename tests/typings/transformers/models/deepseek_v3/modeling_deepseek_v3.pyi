from typing import Any

DeepseekV3RotaryEmbedding: Any
