# What we name of transformers. Its own sources, some 400 models read for these, were half of what pyright read.
from typing import Any

AddedToken: Any
AutoConfig: Any
AutoImageProcessor: Any
AutoModel: Any
AutoModelForCausalLM: Any
AutoModelForImageTextToText: Any
AutoProcessor: Any
AutoTokenizer: Any
BaseImageProcessor: Any
Cache: Any
DeepseekV3Config: Any
DeepseekV3ForCausalLM: Any
DynamicCache: Any
GenerationMixin: Any
Kimi_K25Config: Any
Kimi_K25ForConditionalGeneration: Any
PreTrainedModel: Any
PreTrainedTokenizer: Any
ProcessorMixin: Any
StaticCache: Any
Trainer: Any
TrainingArguments: Any
__version__: str

def set_seed(seed: int) -> None: ...

class BatchFeature(dict[str, Any]):
    def __init__(self, data: dict[str, Any] | None = None, tensor_type: str | None = None) -> None: ...

class PreTrainedConfig:
    def __init__(self, **fields: Any) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
