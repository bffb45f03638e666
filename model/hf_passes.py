"""The two ways through the decoder: whole sequences with gradients, and what is new behind a cache of latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from .hf_cache import LatentStates
from .hf_pictures import Pictures
from .kimi_vl import KimiVL
from .rope import text_rotations
from .runtime import Span

Layer = Callable[..., Tensor]


@dataclass(frozen=True, eq=False)
class Given:
    """What a forward pass was given: token ids or embeddings [B, L], and which of them are padding (0)."""

    input_ids: Tensor | None
    embeds: Tensor | None
    attention_mask: Tensor | None
    pictures: Pictures | None

    def embedded(self, core: KimiVL) -> Tensor:
        """[B, L, D], the pictures' features in the place of their tokens. ValueError where these do not fit."""
        if self.embeds is not None:
            return self.embeds
        if self.input_ids is None:
            raise ValueError("give input_ids or inputs_embeds")
        device = core.language_model.model.embed_tokens.weight.device
        features_TD = None if self.pictures is None else self.pictures.features(core).to(device)
        return core.embed(self.input_ids.to(device), features_TD)

    def mask(self, x_BLD: Tensor) -> Tensor:
        """Bool [B, L] on the CPU, True where there is a token; of a longer mask the last columns."""
        rows, length = x_BLD.shape[:2]
        if self.attention_mask is None:
            return torch.ones(rows, length, dtype=torch.bool)
        if self.attention_mask.dim() != 2 or self.attention_mask.shape[0] != rows:
            raise ValueError(f"attention_mask must be [batch, tokens], got {tuple(self.attention_mask.shape)}")
        if self.attention_mask.shape[1] < length:
            raise ValueError(f"attention_mask has {self.attention_mask.shape[1]} columns, there are {length} tokens")
        return self.attention_mask[:, -length:].cpu().bool()

    def positions(self, mask_BL: Tensor, core: KimiVL) -> list[list[int]]:
        """Of each row where its tokens stand, padding left out."""
        kept = None if self.pictures is None else self.pictures.places(core.config)
        if kept is None or self.input_ids is None:
            return [list(range(count)) for count in mask_BL.sum(-1).tolist()]
        rows = [ids[mask].tolist() for ids, mask in zip(self.input_ids.cpu(), mask_BL, strict=True)]
        return kept.of_rows(rows, core.config)


def plain_pass(
    core: KimiVL, given: Given, logits_to_keep: int, hidden: list[Tensor] | None = None, again: Layer | None = None
) -> Tensor:
    """Logits fp32 [B, L, V], or of the last `logits_to_keep` columns.

    `hidden` is given what goes into every layer, and what leaves the last norm. `again(layer, ...)` runs a layer
    without keeping its activations.
    """
    x_BLD = given.embedded(core)
    mask_BL = given.mask(x_BLD)
    positions_BL = torch.zeros(mask_BL.shape, dtype=torch.int64)
    for row, places in enumerate(given.positions(mask_BL, core)):
        positions_BL[row, mask_BL[row]] = torch.tensor(places, dtype=torch.int64)
    seen_BLL = _who_sees_whom(mask_BL)
    may_look = None if seen_BLL is None else seen_BLL.to(x_BLD.device)
    text, stack = core.config.text, core.language_model.model
    rotations_BLK = text_rotations(positions_BL.to(x_BLD.device), text.qk_rope_head_dim, text.rope_theta)
    for module in stack.layers:
        layer = cast("Layer", module)
        if hidden is not None:
            hidden.append(x_BLD)
        x_BLD = layer(x_BLD, rotations_BLK, may_look) if again is None else again(layer, x_BLD, rotations_BLK, may_look)
    x_BLD = stack.norm(x_BLD)
    if hidden is not None:
        hidden.append(x_BLD)
    return core.language_model.lm_head(x_BLD[:, -logits_to_keep:]).float()


def cached_pass(core: KimiVL, given: Given, cache: LatentStates, logits_to_keep: int) -> Tensor:
    """Logits fp32 [B, K, V] of the last `logits_to_keep` columns (0: of all given); the cache has all afterwards.

    It reads them in one pass, which makes the last logits alone. Where more are wanted, those of a first pass come from
    the plain one, those of a later one token by token.
    """
    is_first = cache.get_seq_length() == 0
    with torch.inference_mode():
        if is_first or given.pictures is not None or given.input_ids is None:
            x_BLD = given.embedded(core)
        else:  # a placeholder that was generated stands for no picture
            x_BLD = core.language_model.model.embed_tokens(given.input_ids)
        length = x_BLD.shape[1]
        mask_BL, positions = given.mask(x_BLD), given.positions(given.mask(x_BLD), core)
        if cache.latents is not None:  # what comes now stands behind what is there
            shifts = [cache.latents.next_position(row) for row in range(len(positions))]
            positions = [[at + shift for at in row] for row, shift in zip(positions, shifts, strict=True)]
        wanted = min(logits_to_keep or length, length)
        alone = 0 if is_first else wanted - 1  # of the last columns, how many are read one by one
        cuts = [0, *range(length - alone, length + 1)]
        parts = [_read(core, x_BLD, mask_BL, positions, cache, *cut) for cut in pairwise(cuts)]
        logits_BLV = torch.stack(parts, dim=1)
    if is_first and wanted > 1:
        with torch.no_grad():
            return plain_pass(core, given, wanted)
    return logits_BLV.clone()


def _read(
    core: KimiVL,
    x_BLD: Tensor,
    mask_BL: Tensor,
    positions: Sequence[Sequence[int]],
    cache: LatentStates,
    start: int,
    end: int,
) -> Tensor:
    """Logits [B, V] of each row's last token in these columns; zeros where it has none."""
    part_BL = mask_BL[:, start:end]
    latents = cache.take(part_BL, x_BLD.dtype, x_BLD.device)
    before, counts = (part.sum(-1).tolist() for part in (mask_BL[:, :start], part_BL))
    rows = [row for row, count in enumerate(counts) if count]
    places = [positions[row][at] for row in rows for at in range(before[row], before[row] + counts[row])]
    out_BV = x_BLD.new_zeros(len(mask_BL), core.config.text.vocab_size, dtype=torch.float32)
    if not rows or cache.runtime is None:
        return out_BV
    x_LD = x_BLD[:, start:end][part_BL.to(x_BLD.device)]
    if places == [latents.next_position(row) for row in rows]:
        out_BV[rows] = cache.runtime.step(x_LD, latents, rows)
    else:
        spans = [Span(row, counts[row]) for row in rows]
        out_BV[rows] = cache.runtime.prefill(x_LD, latents, spans, places)
    return out_BV


def is_watched(module: nn.Module) -> bool:
    """Whether somebody changes what a module does: an adapter in its place, a hook, another forward."""
    own = type(module).__module__.startswith(("torch.nn.", "moonhand."))
    hooked = bool(module._forward_hooks or module._forward_pre_hooks)  # pyright: ignore[reportPrivateUsage]
    return not own or hooked or "forward" in module.__dict__


def _who_sees_whom(mask_BL: Tensor) -> Tensor | None:
    """Bool [B, 1, L, L]: a token sees those before it, padding itself alone. None where the causal rule says all,
    which it does for padding on the right."""
    if bool((mask_BL[:, 1:] <= mask_BL[:, :-1]).all()):
        return None
    length = mask_BL.shape[1]
    seen_BLL = torch.ones(length, length, dtype=torch.bool).tril() & mask_BL[:, None, :]
    return (seen_BLL | torch.eye(length, dtype=torch.bool))[:, None]
