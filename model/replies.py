"""Fine-tuning on conversations: messages and the reply to them become batches, and the loss is the reply's alone."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from .chat import Message, render
from .config import KimiVLConfig
from .errors import ContextTooLong
from .image import ImagePatches, preprocess
from .kimi_vl import KimiVL
from .lora import Adapter
from .losses import Losses
from .packing import IGNORE
from .prompt import count_image_tokens, kept_tokens, prompt_positions, stack_patches
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class ReplySample:
    """What the model is shown and told, and what it is to say."""

    messages: tuple[Message, ...]
    reply: str


@dataclass(frozen=True, eq=False)
class ReplyBatch:
    """B samples: all pictures packed in order, tokens padded on the right, labels only where a reply is to be said."""

    patches: tuple[ImagePatches, ...]
    input_ids_BL: npt.NDArray[np.int64]
    positions_BL: npt.NDArray[np.int64]
    labels_BL: npt.NDArray[np.int64]  # the next token where it is to be learned, else IGNORE


def count_tokens(sample: ReplySample, tokenizer: Tokenizer, config: KimiVLConfig) -> int:
    """Tokens of prompt and reply.

    BadImage for a picture the processor cannot take, ContextTooLong where prompt and reply pass the last position.
    """
    prompt, reply = _ids(sample, tokenizer, config)
    limit = config.text.max_position_embeddings
    if len(prompt) + len(reply) > limit:
        raise ContextTooLong(
            f"prompt and reply take {len(prompt) + len(reply)} tokens, the model has {limit} positions: "
            "record smaller pictures, or show fewer of them"
        )
    return len(prompt) + len(reply)


def collate(samples: Sequence[ReplySample], tokenizer: Tokenizer, config: KimiVLConfig) -> ReplyBatch:
    """Make one batch; raises BadImage."""
    rows: list[tuple[list[int], list[int], list[int]]] = []
    patches: list[ImagePatches] = []
    for sample in samples:
        prompt, reply = _ids(sample, tokenizer, config)
        seen = [preprocess(p.pixels_HW3, config.image) for message in sample.messages for p in message.pictures]
        ids = prompt + reply[:-1]
        rows.append((ids, prompt_positions(ids, seen, config), [IGNORE] * (len(prompt) - 1) + reply))
        patches += seen
    length = max(len(ids) for ids, _, _ in rows)
    input_ids_BL = np.full((len(rows), length), tokenizer.pad, np.int64)
    positions_BL = np.zeros((len(rows), length), np.int64)
    labels_BL = np.full((len(rows), length), IGNORE, np.int64)
    for row, (ids, positions, labels) in enumerate(rows):
        input_ids_BL[row, : len(ids)], labels_BL[row, : len(labels)] = ids, labels
        positions_BL[row, : len(ids)] = positions
    return ReplyBatch(tuple(patches), input_ids_BL, positions_BL, labels_BL)


class ReplyObjective:
    """Cross entropy of the replies' tokens. With an adapter the model is frozen and the adapter learns.

    `dtype` is that of matrix products (None: as the weights are); `recompute` trades a third more time for the memory
    of all layers' activations.
    """

    def __init__(
        self,
        model: KimiVL,
        adapter: Adapter | None = None,
        *,
        dtype: torch.dtype | None = None,
        recompute: bool = False,
    ) -> None:
        self._model = model
        self._adapter = adapter
        self._dtype = dtype
        self._recompute = recompute
        self._device = next(model.parameters()).device

    def __call__(self, batch: ReplyBatch) -> Losses:
        """Parts: `loss` a token, `token_acc` (each given those before it), `reply_acc` (every token right)."""
        model = self._model
        ids_BL = torch.from_numpy(batch.input_ids_BL).to(self._device)
        labels_BL = torch.from_numpy(batch.labels_BL).to(self._device)
        learned_BL = labels_BL != IGNORE
        with (
            torch.autocast(self._device.type, self._dtype, enabled=self._dtype is not None),
            _recomputing(model, wanted=self._recompute and torch.is_grad_enabled()),
        ):
            features_TD = None
            if batch.patches:
                pixels_PCHW = stack_patches(batch.patches, model.config).to(self._device)
                grids_hw, kept_TM = [each.grid_hw for each in batch.patches], kept_tokens(batch.patches, self._device)
                features_TD = model.encode_images(pixels_PCHW, grids_hw, kept_TM)
            positions_BL = torch.from_numpy(batch.positions_BL).to(self._device)
            hidden_BLD = model.language_model.model(model.embed(ids_BL, features_TD), positions_BL=positions_BL)
            logits_NV = model.language_model.lm_head(hidden_BLD[learned_BL]).float()
        labels_N = labels_BL[learned_BL]
        loss = F.cross_entropy(logits_NV, labels_N)
        with torch.no_grad():
            right_BL = torch.ones_like(learned_BL)
            right_BL[learned_BL] = logits_NV.argmax(-1) == labels_N
            figures = {
                "loss": float(loss),
                "token_acc": float(right_BL[learned_BL].float().mean()),
                "reply_acc": float(right_BL.all(-1).float().mean()),
            }
        return Losses(loss, figures)

    def parameters(self) -> Iterable[nn.Parameter]:
        return () if self._adapter is None else self._adapter.parameters()

    def state_dict(self) -> Mapping[str, Any]:
        return {} if self._adapter is None else self._adapter.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> object:
        return None if self._adapter is None else self._adapter.load_state_dict(state)


def measure(objective: ReplyObjective, batches: Iterable[ReplyBatch]) -> dict[str, float]:
    """Mean figures over batches, each reply's tokens counting alike; call it without gradients."""
    sums = {"loss": 0.0, "token_acc": 0.0, "reply_acc": 0.0}
    tokens = replies = 0
    for batch in batches:
        parts = objective(batch).parts
        num_tokens, num_replies = int((batch.labels_BL != IGNORE).sum()), len(batch.labels_BL)
        sums["loss"] += parts["loss"] * num_tokens
        sums["token_acc"] += parts["token_acc"] * num_tokens
        sums["reply_acc"] += parts["reply_acc"] * num_replies
        tokens, replies = tokens + num_tokens, replies + num_replies
    return {name: total / (replies if name == "reply_acc" else tokens) for name, total in sums.items()}


def _ids(sample: ReplySample, tokenizer: Tokenizer, config: KimiVLConfig) -> tuple[list[int], list[int]]:
    """Prompt and reply, the reply with its end."""
    pictures = [picture for message in sample.messages for picture in message.pictures]
    prompt = render(sample.messages, tokenizer, count_image_tokens(pictures, config))
    return prompt, [*tokenizer.encode(sample.reply), tokenizer.im_end]


@contextmanager
def _recomputing(model: KimiVL, *, wanted: bool) -> Generator[None]:
    """While it lasts, the layers' activations are not kept but made again in the backward pass."""
    layers = [*model.language_model.model.layers, *model.vision_tower.encoder.blocks] if wanted else []
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # the class's own shows again
