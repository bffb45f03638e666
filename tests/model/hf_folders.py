"""Tiny folders laid out as the published repositories are, and transformers with `register()` called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moonhand.model import KimiVL, save_checkpoint, write_tiktoken_model
from moonhand.model.tokenizer import SPECIAL_OFFSETS

FOLDER_FILES = ("config.json", "preprocessor_config.json", "tokenizer_config.json", "tiktoken.model")
# Written by hand from the template's rules, not by the code under test.
TEMPLATE = (
    "{%- for message in messages -%}{%- if loop.first and messages[0]['role'] != 'system' -%}"
    "{{'<|im_system|>system<|im_middle|>You are a helpful assistant<|im_end|>'}}{%- endif -%}"
    "{%- if message['role'] == 'system' -%}{{'<|im_system|>'}}{%- endif -%}"
    "{%- if message['role'] == 'user' -%}{{'<|im_user|>'}}{%- endif -%}"
    "{%- if message['role'] == 'assistant' -%}{{'<|im_assistant|>'}}{%- endif -%}"
    "{{- message['role'] -}}{{'<|im_middle|>'}}"
    "{%- if message['content'] is string -%}{{- message['content'] + '<|im_end|>' -}}{%- else -%}"
    "{%- for content in message['content'] -%}"
    "{%- if content['type'] == 'image' or 'image' in content or 'image_url' in content -%}"
    "{{'<|media_start|>image<|media_content|><|media_pad|><|media_end|>'}}"
    "{%- else -%}{{content['text']}}{%- endif -%}{%- endfor -%}{{'<|im_end|>'}}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{'<|im_assistant|>assistant<|im_middle|>'}}{%- endif -%}"
)


def published_folder(model: KimiVL, tokens: Sequence[bytes], folder: Path) -> Path:
    """The files of a published repository but its code, which their `auto_map` names all the same."""
    save_checkpoint(model, folder)
    write_tiktoken_model(tokens, folder / "tiktoken.model")
    _add(
        folder / "config.json",
        auto_map={
            "AutoConfig": "configuration_kimi_vl.KimiVLConfig",
            "AutoModel": "modeling_kimi_vl.KimiVLForConditionalGeneration",
            "AutoModelForCausalLM": "modeling_kimi_vl.KimiVLForConditionalGeneration",
        },
    )
    _add(
        folder / "preprocessor_config.json",
        auto_map={
            "AutoProcessor": "processing_kimi_vl.KimiVLProcessor",
            "AutoImageProcessor": "image_processing_kimi_vl.KimiVLImageProcessor",
        },
        num_pooled_tokens=1024,
    )
    names = {str(len(tokens) + offset): {"content": name, "special": True} for name, offset in SPECIAL_OFFSETS.items()}
    config: dict[str, Any] = {
        "added_tokens_decoder": names,
        "auto_map": {"AutoTokenizer": ["tokenization_moonshot.TikTokenTokenizer", None]},
        "additional_special_tokens": ["<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|im_system|>"],
        "bos_token": "[BOS]",
        "eos_token": "[EOS]",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1048576,
        "tokenizer_class": "TikTokenTokenizer",
        "chat_template": TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def transformers_of() -> Any:
    """transformers, once it knows Kimi-VL."""
    from moonhand.model import hf

    hf.register()
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    return transformers


def _add(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
