# What we name of transformers. Its own sources, some 400 models read for these, were half of what pyright read.
from typing import Any

AutoModelForCausalLM: Any
DeepseekV3Config: Any
DeepseekV3ForCausalLM: Any
DynamicCache: Any
Kimi_K25Config: Any
Kimi_K25ForConditionalGeneration: Any
StaticCache: Any
