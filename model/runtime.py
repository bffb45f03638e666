"""The decoder with a cache: prompts of several sequences packed in one pass, then one token a row at a time.

`KimiVL.forward` is the plain twin of `TextRuntime.prefill`, and `prefill` of one token a row that of every `Step`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol, cast

import torch
from torch import Tensor

from .attention import LatentAttention, absorbed_attention, prefill_attention
from .decoder import DecoderLayer
from .kimi_vl import KimiVL
from .kv_cache import LatentCache
from .moe import MoE, run_experts
from .rope import rotate, text_rotations


@dataclass(frozen=True)
class Span:
    """The next `count` tokens of the sequence in row `row` of the cache."""

    row: int
    count: int


class Step(Protocol):
    """One more token in each of some rows, as fast as a device can: each weight is read once."""

    @property
    def max_rows(self) -> int: ...
    def __call__(self, x_BD: Tensor, cache: LatentCache, rows: Sequence[int]) -> Tensor:
        """Logits [B, V] fp32 from token embeddings [B, D]; the cache has the tokens afterwards."""
        ...


class TextRuntime:
    """Runs a model's decoder over latent caches. It holds no weights of its own and no state between calls."""

    def __init__(
        self, model: KimiVL, step: Step | None = None, *, chunk_tokens: int = 2048, few_tokens: int | None = None
    ) -> None:
        """`step` takes over the decode steps of up to `max_rows` rows; prompts run `chunk_tokens` at a time.

        Where there is a `step`, up to `few_tokens` in a row are read one by one; None: 1, quantised 32.
        """
        if chunk_tokens < 1:
            raise ValueError(f"chunk_tokens must be >= 1, got {chunk_tokens}")
        self._model = model
        self._config = model.config.text
        self._step = step
        self._chunk_tokens = chunk_tokens
        # A pass would unpack every quantised expert it meets.
        default = 1 if model.config.quantization is None else 32
        self._few_tokens = default if few_tokens is None else few_tokens

    @property
    def few_tokens(self) -> int:
        """Up to so many tokens in a row are read in decode steps."""
        return 1 if self._step is None else self._few_tokens

    def step(self, x_BD: Tensor, cache: LatentCache, rows: Sequence[int]) -> Tensor:
        """Logits [B, V] fp32 after one more token in each of `rows`, from embeddings [B, D]; valid until the next."""
        if self._step is not None and len(rows) <= self._step.max_rows:
            return self._step(x_BD, cache, rows)
        return self.prefill(x_BD, cache, [Span(row, 1) for row in rows], [cache.next_position(row) for row in rows])

    def prefill(self, x_LD: Tensor, cache: LatentCache, spans: Sequence[Span], positions: Sequence[int]) -> Tensor:
        """Logits [N, V] fp32 of each span's last token; the cache has all of them afterwards.

        `x_LD` are the embeddings of the spans' tokens one after the other, `positions` where each stands. Rows must
        differ. ValueError, before any work, where the tokens and spans disagree or a row has no room.
        """
        if sum(span.count for span in spans) != len(x_LD) or len(positions) != len(x_LD):
            raise ValueError(f"the spans {list(spans)} do not make {len(x_LD)} tokens at {len(positions)} positions")
        if len({span.row for span in spans}) < len(spans) or min(span.count for span in spans) < 1:
            raise ValueError(f"spans need rows of their own and at least one token each, got {list(spans)}")
        for span in spans:
            cache.require_room(span.row, span.count)
        few = max(span.count for span in spans) <= self._few_tokens
        if self._step is not None and few and _follow_on(cache, spans, positions):
            return self._one_by_one(self._step, x_LD, cache, spans)
        positions_BL = torch.tensor([list(positions)], device=x_LD.device)
        rotations_LK = text_rotations(positions_BL, self._config.qk_rope_head_dim, self._config.rope_theta)[0]
        ends = set(accumulate(span.count for span in spans))
        finals: list[Tensor] = []
        at = 0
        for chunk in self._chunks(spans):
            places = list(accumulate((span.count for span in chunk), initial=at))
            pieces = [_Piece(span.row, span.count, cache.lengths[span.row] + span.count) for span in chunk]
            asked = [end in ends for end in places[1:]]
            part = slice(at, places[-1])
            finals.append(self._pass(x_LD[part], rotations_LK[part], cache.values, pieces, asked))
            for span, first in zip(chunk, places, strict=False):
                cache.advance(span.row, positions[first : first + span.count])
            at = places[-1]
        language_model = self._model.language_model
        return language_model.lm_head(language_model.model.norm(torch.cat(finals))).float()

    def _one_by_one(self, step: Step, x_LD: Tensor, cache: LatentCache, spans: Sequence[Span]) -> Tensor:
        """The same in decode steps."""
        parts = x_LD.split([span.count for span in spans])
        logits: dict[int, Tensor] = {}
        for at in range(max(span.count for span in spans)):
            going = [index for index, span in enumerate(spans) if at < span.count]
            for first in range(0, len(going), step.max_rows):
                group = going[first : first + step.max_rows]
                x_BD = torch.stack([parts[index][at] for index in group])
                logits |= zip(group, step(x_BD, cache, [spans[index].row for index in group]).clone(), strict=True)
        return torch.stack([logits[index] for index in range(len(spans))])

    def _chunks(self, spans: Sequence[Span]) -> Iterator[list[Span]]:
        """The spans cut into passes of at most `chunk_tokens` tokens."""
        chunk: list[Span] = []
        room = self._chunk_tokens
        for span in spans:
            left = span.count
            while left:
                count = min(left, room)
                chunk.append(Span(span.row, count))
                left, room = left - count, room - count
                if not room:
                    yield chunk
                    chunk, room = [], self._chunk_tokens
        if chunk:
            yield chunk

    def _pass(
        self, x_LD: Tensor, rotations_LK: Tensor, values: Tensor, pieces: Sequence[_Piece], asked: Sequence[bool]
    ) -> Tensor:
        """All layers write the pieces' latents; hidden states [N, D] before the final norm of the last tokens of those
        pieces that are asked for. What comes after the last layer's latents is computed for these alone."""
        *layers, final = [cast("DecoderLayer", layer) for layer in self._model.language_model.model.layers]
        for layer, values_RSC in zip(layers, values, strict=False):
            h_LD = layer.input_layernorm(x_LD)
            self._append(layer.self_attn, h_LD, rotations_LK, values_RSC, pieces)
            x_LD = x_LD + self._attend(layer.self_attn, h_LD, rotations_LK, values_RSC, pieces)
            x_LD = x_LD + _feed_forward(layer, layer.post_attention_layernorm(x_LD))
        h_LD = final.input_layernorm(x_LD)
        self._append(final.self_attn, h_LD, rotations_LK, values[-1], pieces)
        ends = accumulate(piece.count for piece in pieces)
        last = [end - 1 for end, wanted in zip(ends, asked, strict=True) if wanted]
        if not last:
            return x_LD[:0]
        ones = [_Piece(piece.row, 1, piece.seen) for piece, wanted in zip(pieces, asked, strict=True) if wanted]
        x_ND = x_LD[last] + self._attend(final.self_attn, h_LD[last], rotations_LK[last], values[-1], ones)
        return x_ND + _feed_forward(final, final.post_attention_layernorm(x_ND))

    def _append(
        self,
        attention: LatentAttention,
        h_LD: Tensor,
        rotations_LK: Tensor,
        values_RSC: Tensor,
        pieces: Sequence[_Piece],
    ) -> None:
        """Write the new tokens' latents and rotated keys behind those of their rows."""
        rank = self._config.kv_lora_rank
        latent_LC = attention.kv_a_proj_with_mqa(h_LD)
        key_LK = rotate(latent_LC[:, None, rank:], rotations_LK)[:, 0]
        latent_LC = torch.cat((attention.kv_a_layernorm(latent_LC[:, :rank]), key_LK), dim=-1)
        for piece, part_LC in zip(pieces, latent_LC.split([piece.count for piece in pieces]), strict=True):
            values_RSC[piece.row, piece.seen - piece.count : piece.seen] = part_LC

    def _attend(
        self,
        attention: LatentAttention,
        h_LD: Tensor,
        rotations_LK: Tensor,
        values_RSC: Tensor,
        pieces: Sequence[_Piece],
    ) -> Tensor:
        """Causal attention of the new tokens over the latents of their own row, their own included."""
        config = self._config
        q_LHK = attention.q_proj(h_LD).unflatten(-1, (-1, config.qk_head_dim))
        nope, rope = q_LHK.split((config.qk_nope_head_dim, config.qk_rope_head_dim), dim=-1)
        q_LHK = torch.cat((nope, rotate(rope, rotations_LK)), dim=-1)
        kv_b = attention.kv_b_proj.weight
        parts: list[Tensor] = []
        for piece, part_LHK in zip(pieces, q_LHK.split([piece.count for piece in pieces]), strict=True):
            seen_SC = values_RSC[piece.row, : piece.seen]
            if piece.count == 1:
                parts.append(absorbed_attention(part_LHK[0], seen_SC, kv_b, config)[None])
            else:
                parts.append(prefill_attention(part_LHK, seen_SC, kv_b, config))
        return attention.o_proj(torch.cat(parts).flatten(1))


def _follow_on(cache: LatentCache, spans: Sequence[Span], positions: Sequence[int]) -> bool:
    """Whether every token stands right behind the one before it, as decode steps place them."""
    expected = [cache.next_position(span.row) + at for span in spans for at in range(span.count)]
    return list(positions) == expected


@dataclass(frozen=True)
class _Piece:
    """Part of a span in one pass: `count` new tokens of a row, `seen` of it in all with these."""

    row: int
    count: int
    seen: int


def _feed_forward(layer: DecoderLayer, x_LD: Tensor) -> Tensor:
    mlp = layer.mlp
    if not isinstance(mlp, MoE):
        return mlp(x_LD)
    weights_LA, ids_LA = mlp.gate(x_LD)
    routed_LD = run_experts(x_LD, weights_LA, ids_LA, mlp.experts)
    return routed_LD if mlp.shared_experts is None else routed_LD + mlp.shared_experts(x_LD)
