"""Kimi-VL for transformers: `register()` teaches its Auto classes the folders this package reads, without remote code.

    import transformers
    from moonhand.model import hf

    hf.register()
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)

Importing this module imports no transformers and changes nothing in it.
"""

from __future__ import annotations

from contextlib import suppress

INSTALL = "transformers is not installed: pip install 'moonhand[hf]'"


def register() -> None:
    """Let transformers' Auto classes open `kimi_vl` folders with the classes of this package. May be called again.

    From then on they win over a folder's own remote code, with `trust_remote_code` or without. Raises ImportError where
    transformers 5 is not installed.
    """
    try:
        import transformers
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise  # it is there, and lacks something of its own
        raise ImportError(INSTALL) from error
    if int(transformers.__version__.partition(".")[0]) < 5:
        raise ImportError(f"transformers {transformers.__version__} is too old: pip install 'transformers>=5'")
    from transformers.conversion_mapping import register_checkpoint_conversion_mapping

    from .hf_config import HFKimiVLConfig
    from .hf_model import KimiVLForConditionalGeneration, stacked_experts
    from .hf_processor import KimiVLImageProcessor, KimiVLProcessor
    from .hf_tokenizer import TikTokenTokenizer

    transformers.AutoConfig.register(HFKimiVLConfig.model_type, HFKimiVLConfig, exist_ok=True)
    for auto in (transformers.AutoModelForCausalLM, transformers.AutoModelForImageTextToText, transformers.AutoModel):
        auto.register(HFKimiVLConfig, KimiVLForConditionalGeneration, exist_ok=True)
    transformers.AutoTokenizer.register(HFKimiVLConfig, slow_tokenizer_class=TikTokenTokenizer, exist_ok=True)
    with suppress(ImportError):  # transformers up to 5.17 has no such class without torchvision; nothing here needs it
        transformers.AutoImageProcessor.register(
            HFKimiVLConfig, slow_image_processor_class=KimiVLImageProcessor, exist_ok=True
        )
    transformers.AutoProcessor.register(HFKimiVLConfig, KimiVLProcessor, exist_ok=True)
    register_checkpoint_conversion_mapping(HFKimiVLConfig.model_type, stacked_experts(), overwrite=True)
