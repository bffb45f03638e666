"""What is known of a model behind a server from its name: how it sees pictures, and what it counts for a prompt.

A server tells neither its image processor's limits nor its vocabulary, and coordinates, windows and prompt sizes hang
on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .config import KimiVLConfig
from .image import count_tokens
from .presets import preset

if TYPE_CHECKING:
    from .tokenizer import Tokenizer

PATCH_LIMITS = {  # in_token_limit of the published checkpoints, by how their names begin; the first that fits
    "kimi-vl-a3b-thinking-2506": 16384,
    "kimi-vl-a3b-thinking": 4096,
    "kimi-vl-a3b-instruct": 4096,
    "opencua-a3b": 4096,
}
NANO = ("nano", "moonhand-nano")
QUESTION = "What is in the picture?"
QUESTION_TOKENS = 26  # of the published vocabulary: a prompt of a picture and QUESTION, but for the picture's own


@dataclass(frozen=True)
class RemoteModel:
    """`name` is what prompt profiles go by; `doubt`, where the name says nothing, what was taken for granted."""

    name: str
    config: KimiVLConfig
    tokenizer: Tokenizer | None = None  # where this machine has the model's vocabulary
    doubt: str | None = None

    def probe_picture(self) -> npt.NDArray[np.uint8]:
        """Stripes, nothing blank, of a size at which the patch limits in use give different numbers of tokens."""
        width_px, height_px = (112, 84) if self.tokenizer is not None else (1288, 728)
        stripes_W = (np.arange(width_px) // 7 % 2 * 160 + 48).astype(np.uint8)
        return np.broadcast_to(stripes_W[None, :, None], (height_px, width_px, 3)).copy()

    def probe_tokens(self, picture: npt.NDArray[np.uint8], limit: int | None = None) -> int:
        """Tokens of the prompt of this picture and QUESTION, by our own arithmetic; at another patch limit if given."""
        image = self.config.image if limit is None else replace(self.config.image, in_token_limit=limit)
        seen = count_tokens(picture, image)
        if self.tokenizer is None:
            return QUESTION_TOKENS + seen
        from .chat import Message, Picture, render

        return len(render([Message("user", (Picture(picture), QUESTION))], self.tokenizer, [seen]))


def recognise(served: str, root: str | None, max_length: int | None) -> RemoteModel:
    """By the name it is served under, else by the one it was loaded by (`root`); else as Kimi-VL-A3B-Instruct."""
    for name in (served, root):
        if name is None:
            continue
        if _plain(name) in NANO:
            return _nano(name)
        limit = next((limit for start, limit in PATCH_LIMITS.items() if _plain(name).startswith(start)), None)
        if limit is not None:
            return RemoteModel(name, _published(limit, max_length))
    limit = PATCH_LIMITS["kimi-vl-a3b-thinking-2506" if "2506" in served else "kimi-vl-a3b-instruct"]
    doubt = (
        f"{served!r} is none of the models known here: it is taken for a Kimi-VL that sees at most {limit} patches of "
        "a picture and points in shares of it; choose how it is asked with --profile"
    )
    return RemoteModel(served, _published(limit, max_length), doubt=doubt)


def _published(limit: int, max_length: int | None) -> KimiVLConfig:
    config = preset("instruct")
    text = config.text if max_length is None else replace(config.text, max_position_embeddings=max_length)
    return replace(config, text=text, image=replace(config.image, in_token_limit=limit))


def _nano(name: str) -> RemoteModel:
    from .config import load_config
    from .engine import checkpoint_folder
    from .tokenizer import Tokenizer

    folder = checkpoint_folder("nano")
    return RemoteModel(name, load_config(folder), Tokenizer.load(folder))


def _plain(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2].lower()


def served_models(listed: object) -> list[Mapping[str, Any]]:
    """The entries of an answer to GET /models; empty where it is none."""
    data: Any = listed.get("data") if isinstance(listed, dict) else None  # pyright: ignore[reportUnknownMemberType]
    if not isinstance(data, list):
        return []
    return [entry for entry in data if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
