"""`tiktoken.model` as a tokenizer of transformers: ids and text are those of `Tokenizer`.

As with the published tokenizer, the name of a control token in a text becomes that token: this is how a rendered chat
template is read. Text of unknown origin goes through `chat.render` instead, or `split_special_tokens=True`.
"""

from __future__ import annotations

import re
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from transformers import AddedToken, PreTrainedTokenizer

from .chat import DEFAULT_SYSTEM
from .tokenizer import Tokenizer, write_tiktoken_model

VOCABULARY_FILE = "tiktoken.model"
# The published template, from its rules: what `chat.render` does, as text.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if loop.first and message['role'] != 'system' -%}"
    f"{{{{'<|im_system|>system<|im_middle|>{DEFAULT_SYSTEM}<|im_end|>'}}}}"
    "{%- endif -%}"
    "{%- if message['role'] not in ('system', 'user', 'assistant') -%}"
    "{{ raise_exception('role must be one of system, user, assistant, got ' + message['role']) }}"
    "{%- endif -%}"
    "{{'<|im_' + message['role'] + '|>' + message['role'] + '<|im_middle|>'}}"
    "{%- if message['content'] is string -%}{{ message['content'] }}"
    "{%- else -%}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' or 'image' in part or 'image_url' in part -%}"
    "{{'<|media_start|>image<|media_content|><|media_pad|><|media_end|>'}}"
    "{%- else -%}{{ part['text'] }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- endif -%}"
    "{{'<|im_end|>'}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{'<|im_assistant|>assistant<|im_middle|>'}}{%- endif -%}"
)


class TikTokenTokenizer(PreTrainedTokenizer):
    """The family's vocabulary. Its name is the one that published folders give their own tokenizer class."""

    vocab_files_names = {"vocab_file": VOCABULARY_FILE}  # noqa: RUF012 (transformers' own form)
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012
    padding_side = "left"  # replies follow on the right

    def __init__(self, vocab_file: str, **kwargs: Any) -> None:
        folder = Path(vocab_file).parent
        self.ours = Tokenizer.load(folder)
        self._vocabulary_path = Path(vocab_file)
        defaults = {"bos_token": "[BOS]", "eos_token": "[EOS]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
        kwargs = defaults | {"model_max_length": 1 << 20, "clean_up_tokenization_spaces": False} | kwargs
        if not kwargs.get("chat_template"):
            kwargs["chat_template"] = CHAT_TEMPLATE
        kwargs["added_tokens_decoder"] = {
            number: AddedToken(name, normalized=False, special=True) for name, number in self._control_ids.items()
        }
        kwargs["special_tokens_pattern"] = "none"  # nothing is put around a text
        super().__init__(**kwargs)

    @cached_property
    def _control_ids(self) -> dict[str, int]:
        """All 256, by name."""
        ours = self.ours
        ids = range(ours.num_base, ours.vocab_size)
        return {ours.decode([number], show_control=True): number for number in ids}

    @cached_property
    def _control_names(self) -> re.Pattern[str]:
        return re.compile("(" + "|".join(re.escape(name) for name in self._control_ids) + ")")

    @cached_property
    def _names(self) -> list[str]:
        """Of the ordinary tokens, by id: their bytes as Latin-1. No control token has the same name."""
        names = [token.decode("latin-1") for token in self.ours.tokens]
        return [f"\ufdd0{name}" if name in self._control_ids else name for name in names]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self._names)}

    @property
    def vocab_size(self) -> int:
        return self.ours.vocab_size

    def __len__(self) -> int:
        return self.ours.vocab_size

    def get_vocab(self) -> dict[str, int]:
        return self._ids | self._control_ids

    def tokenize(self, text: str, **kwargs: Any) -> list[str]:
        """Names of a text's tokens; those of control tokens stand for themselves unless `split_special_tokens`."""
        if kwargs.get("split_special_tokens", self.split_special_tokens):
            return self._tokenize(text)
        pieces = self._control_names.split(text)
        return [
            name
            for at, piece in enumerate(pieces)
            for name in ([piece] if at % 2 else self._tokenize(piece) if piece else [])
        ]

    def _tokenize(self, text: str, **kwargs: Any) -> list[str]:
        names = self._names
        return [names[number] for number in self.ours.encode(text)]

    def _convert_token_to_id(self, token: str) -> int:
        return self._ids.get(token, self.ours.unk)

    def _convert_id_to_token(self, index: int) -> str:
        return self._names[index]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        ids = cast("list[int]", self.convert_tokens_to_ids(tokens))
        return self.ours.decode(ids, show_control=True)

    def _decode(
        self,
        token_ids: int | list[int],
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **kwargs: Any,
    ) -> str:
        ids = [token_ids] if isinstance(token_ids, int) else [int(each) for each in token_ids]
        return self.ours.decode(ids, show_control=not skip_special_tokens)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str]:
        path = Path(save_directory) / f"{filename_prefix + '-' if filename_prefix else ''}{VOCABULARY_FILE}"
        if not self._vocabulary_path.exists():
            write_tiktoken_model(self.ours.tokens, path)
        elif path.resolve() != self._vocabulary_path.resolve():
            shutil.copyfile(self._vocabulary_path, path)
        return (str(path),)
