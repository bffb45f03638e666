"""One token a row on a CUDA device: the whole step is one graph, replayed.

A graph fixes its addresses and its number of rows; what changes from token to token (embeddings, rows, lengths,
positions) lies in buffers that are filled before the replay. Fewer rows than a graph has are padded with nobody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from .attention import RMSNorm
from .decode_ops import DecodeOps, Places, PlainOps, Shared, Weight
from .decoder import DecoderLayer
from .kimi_vl import KimiVL
from .kv_cache import LatentCache
from .moe import MLP, Experts, MoE
from .quantize import QuantizedExperts, QuantizedLinear, weight_of
from .quantized_weight import QuantizedWeight

KEPT_GRAPHS = 24
# Longest row in a graph -> stretches its attention is cut into, for one row: enough programs for every core of a large
# GPU. More rows need fewer: each stretch costs the writing and reading of a partial result.
SPLITS = ((128, 4), (1024, 32), (4096, 64), (1 << 62, 128))
PROGRAMS = 256


@dataclass(frozen=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    logits_BV: Tensor


class GraphStep:
    """`Step` for a model whose decoder lies on one device, unquantised or quantised.

    Graphs are captured when first needed, one for each number of rows (a power of 2), context length (128, 1,024,
    4,096, more) and cache: a capture takes as long as some tens of tokens, so keep a cache rather than make a
    new one. The logits are a view of a buffer, valid until the next call. On a CPU the same body runs without a graph.

    Projections that read the same input are packed into one matrix; the model's own become views of it, their values
    unchanged. Move or reload the model only before.
    """

    def __init__(self, model: KimiVL, max_rows: int, ops: DecodeOps | None = None, *, forks: bool = True) -> None:
        """`ops` replaces the device's own: the kernels on CUDA, else the plain ones. Where `forks`, what does not wait
        for each other runs on two streams."""
        if max_rows < 1:
            raise ValueError(f"max_rows must be >= 1, got {max_rows}")
        decoder = model.language_model.model
        weight = decoder.norm.weight
        self.max_rows = max_rows
        self._config = model.config.text
        self._device, self._dtype = weight.device, weight.dtype
        self._ops = ops or _ops_of(self._device)
        self.layers = [LayerWeights(cast("DecoderLayer", layer)) for layer in decoder.layers]
        self._norm, self.head = decoder.norm, weight_of(model.language_model.lm_head)
        size, rope = _bucket(max_rows), self._config.qk_rope_head_dim
        is_cuda = self._device.type == "cuda"
        self._x_BD = torch.zeros(size, self._config.hidden_size, dtype=self._dtype, device=self._device)
        self._logits_BV = torch.zeros(size, self._config.vocab_size, dtype=torch.float32, device=self._device)
        self._places_3B = torch.zeros(3, size, dtype=torch.int32, device=self._device)  # rows, lengths, positions
        self._told_3B = torch.zeros(3, size, dtype=torch.int32, pin_memory=is_cuda)
        exponent_K = torch.arange(0, rope, 2, dtype=torch.float32, device=self._device) / rope
        self._frequencies_K = self._config.rope_theta**-exponent_K
        self._graphs: OrderedDict[tuple[object, ...], _Graph] = OrderedDict()
        self._told = torch.cuda.Event() if is_cuda else None
        self._beside = torch.cuda.Stream(self._device) if is_cuda and forks else None
        self._pool = torch.cuda.graph_pool_handle() if is_cuda else None

    @torch.inference_mode()
    def __call__(self, x_BD: Tensor, cache: LatentCache, rows: Sequence[int]) -> Tensor:
        """Logits [B, V] fp32 after one more token in each of `rows`, which must differ; the cache has it afterwards."""
        self._require_fit(x_BD, cache, rows)
        positions = [cache.next_position(row) for row in rows]
        size = _bucket(len(rows))
        longest = max(cache.lengths[row] for row in rows) + 1
        splits = min(next(splits for length, splits in SPLITS if longest <= length), max(4, PROGRAMS // size))
        if self._told is not None:
            self._told.synchronize()  # of the step before: its numbers have been copied
        self._told_3B[0].fill_(-1)
        self._told_3B[:, : len(rows)] = torch.tensor(
            [list(rows), [cache.lengths[row] for row in rows], positions], dtype=torch.int32
        )
        self._places_3B.copy_(self._told_3B, non_blocking=True)
        if self._told is not None:
            self._told.record()
        self._x_BD[: len(rows)].copy_(x_BD)
        if self._device.type == "cuda":
            logits_BV = self._replay(cache.values, size, splits)
        else:
            logits_BV = self._body(cache.values, size, splits)
        for row, position in zip(rows, positions, strict=True):
            cache.advance(row, (position,))
        return logits_BV[: len(rows)]

    def _require_fit(self, x_BD: Tensor, cache: LatentCache, rows: Sequence[int]) -> None:
        if not 1 <= len(rows) <= self.max_rows or len(set(rows)) < len(rows) or len(x_BD) != len(rows):
            raise ValueError(f"{len(x_BD)} tokens for rows {list(rows)}: want 1 to {self.max_rows}, each once")
        values = cache.values
        if values.device != self._device or values.dtype != self._dtype:
            raise ValueError(f"the cache is {values.dtype} on {values.device}, the model {self._dtype}, {self._device}")
        for row in rows:
            cache.require_room(row, 1)

    def _replay(self, values: Tensor, size: int, splits: int) -> Tensor:
        key = (size, splits, values.data_ptr(), tuple(values.shape))
        kept = self._graphs.get(key)
        if kept is None:
            kept = self._graphs[key] = self._capture(values, size, splits)
            if len(self._graphs) > KEPT_GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        kept.graph.replay()
        return kept.logits_BV

    def _capture(self, values: Tensor, size: int, splits: int) -> _Graph:
        """The body runs once before: kernels compile, libraries set up. What it writes, the replay writes again."""
        self._body(values, size, splits)
        torch.cuda.synchronize(self._device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            logits_BV = self._body(values, size, splits)
        return _Graph(graph, logits_BV)

    def _body(self, values: Tensor, size: int, splits: int) -> Tensor:
        """The step, from the buffers to the buffers. On CUDA nothing here waits for the device."""
        ops, config = self._ops, self._config
        x_BD = self._x_BD[:size]
        rows_B, lengths_B, positions_B = self._places_3B[:, :size].unbind()
        angles_BK = positions_B.float()[:, None] * self._frequencies_K
        places = Places(rows_B, lengths_B, angles_BK.cos(), angles_BK.sin(), splits)
        for layer, values_RSC in zip(self.layers, values, strict=True):
            qkv_BN = ops.linear(x_BD, layer.qkv, norm=layer.input_norm)
            out_BN = ops.attend(qkv_BN, layer.kv_b, layer.latent_norm, values_RSC, places, config)
            x_BD = ops.linear(out_BN, layer.o, residual_BN=x_BD)
            x_BD = self._feed_forward(layer, x_BD, ops.norm(x_BD, layer.post_norm))
        return ops.linear(ops.norm(x_BD, self._norm), self.head, out_BN=self._logits_BV[:size])

    def _feed_forward(self, layer: LayerWeights, x_BD: Tensor, h_BD: Tensor) -> Tensor:
        """x + mlp(h). The router runs beside the shared experts: neither fills the device."""
        ops, mlp = self._ops, layer.mlp
        if isinstance(mlp, DenseWeights):
            return ops.linear(ops.swiglu(h_BD, mlp.gate_up), mlp.down, residual_BN=x_BD)
        if self._beside is None or mlp.shared is None:
            weights_BA, ids_BA = self._route(mlp, h_BD)
            shared = None if mlp.shared is None else Shared(ops.swiglu(h_BD, mlp.shared.gate_up), mlp.shared.down)
        else:
            here = torch.cuda.current_stream(self._device)
            self._beside.wait_stream(here)
            with torch.cuda.stream(self._beside):
                weights_BA, ids_BA = self._route(mlp, h_BD)
            shared = Shared(ops.swiglu(h_BD, mlp.shared.gate_up), mlp.shared.down)
            here.wait_stream(self._beside)
        return ops.experts(h_BD, weights_BA, ids_BA, mlp.gate_up, mlp.down, shared, x_BD)

    def _route(self, mlp: RoutedWeights, h_BD: Tensor) -> tuple[Tensor, Tensor]:
        logits_BE = torch.empty(len(h_BD), mlp.router.shape[0], dtype=torch.float32, device=h_BD.device)
        return self._ops.route(self._ops.linear(h_BD, mlp.router, out_BN=logits_BE), mlp.bias, self._config)


@dataclass(frozen=True)
class DenseWeights:
    gate_up: Weight
    down: Weight


@dataclass(frozen=True)
class RoutedWeights:
    router: Tensor
    bias: Tensor
    gate_up: Weight  # [E, 2I, D]
    down: Weight
    shared: DenseWeights | None


class LayerWeights:
    """A layer's weights as the body reads them."""

    def __init__(self, layer: DecoderLayer) -> None:
        attention = layer.self_attn
        self.input_norm: RMSNorm = layer.input_layernorm
        self.post_norm: RMSNorm = layer.post_attention_layernorm
        self.latent_norm: Tensor = attention.kv_a_layernorm.weight
        self.qkv = _pack(attention.q_proj, attention.kv_a_proj_with_mqa)
        self.kv_b = attention.kv_b_proj.weight
        self.o = weight_of(attention.o_proj)
        mlp = layer.mlp
        self.mlp: DenseWeights | RoutedWeights
        if not isinstance(mlp, MoE):
            self.mlp = _dense(mlp)
            return
        experts = cast("Experts | QuantizedExperts", mlp.experts)
        is_plain = isinstance(experts, Experts)
        self.mlp = RoutedWeights(
            mlp.gate.weight,
            mlp.gate.e_score_correction_bias,
            experts.gate_up_proj if is_plain else experts.gate_up,
            experts.down_proj if is_plain else experts.down,
            None if mlp.shared_experts is None else _dense(mlp.shared_experts),
        )


def _dense(mlp: MLP) -> DenseWeights:
    return DenseWeights(_pack(mlp.gate_proj, mlp.up_proj), weight_of(mlp.down_proj))


def _pack(first: nn.Module, second: nn.Module) -> Weight:
    """Two layers' matrices, one under the other; the layers' own become views of it."""
    if isinstance(first, QuantizedLinear) and isinstance(second, QuantizedLinear):
        codes, first.codes, second.codes = _under(first.codes, second.codes)
        scales, first.scales, second.scales = _under(first.scales, second.scales)
        return QuantizedWeight(codes, scales, first.bits, first.in_features)
    a, b = cast("nn.Linear", first).weight, cast("nn.Linear", second).weight
    packed, a.data, b.data = _under(a.detach(), b.detach())
    return packed


def _under(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One tensor with the rows of both, and both as views of it; no copy where they lie so already."""
    shape = (len(a) + len(b), *a.shape[1:])
    if a.data_ptr() + a.nbytes == b.data_ptr() and a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr():
        return a.as_strided(shape, a.stride()), a, b
    packed = torch.cat((a, b))
    return packed, packed[: len(a)], packed[len(a) :]


def _ops_of(device: torch.device) -> DecodeOps:
    if device.type != "cuda":
        return PlainOps()
    from .kernels import KernelOps  # Triton comes with torch for CUDA, and only there

    return KernelOps()


def _bucket(rows: int) -> int:
    """The least power of 2 that is not less."""
    return 1 << (rows - 1).bit_length()
