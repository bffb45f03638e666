from typing import Any

CausalLMOutputWithPast: Any
