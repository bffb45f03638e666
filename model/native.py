"""The native decode step: one token a row through the whole decoder in one call of `decode.c`.

`TextRuntime` without a step is its plain twin, and takes over where there is no compiler.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
import time
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from .config import KV_NORM_EPS
from .decoder import DecoderLayer
from .kimi_vl import KimiVL
from .kv_cache import LatentCache
from .moe import MoE
from .native_library import Library, Unavailable, load_library
from .quantize import QuantizedExperts, QuantizedLinear
from .quantized_weight import QuantizedWeight

__all__ = ["Library", "NativeStep", "Unavailable", "advise_huge_pages", "dequantize_into", "load_library",
           "read_bandwidth"]  # fmt: skip

MAX_ROWS = 16  # MAX_ROWS and MAX_ACTIVE of the C code
MAX_ACTIVE = 64
_KINDS = {torch.float32: 0, torch.bfloat16: 1, 8: 2, 4: 3}


class _Struct(ctypes.Structure):
    """Its fields are 8 bytes wide, or two floats: no padding, the same layout for every compiler."""


class _Matrix(_Struct):
    _fields_ = [("data", ctypes.c_void_p), ("scales", ctypes.c_void_p)] + [
        (name, ctypes.c_int64) for name in ("rows", "cols", "row_bytes", "kind")
    ]


class _Layer(_Struct):
    _fields_ = [
        (name, ctypes.c_void_p) for name in ("attention_norm", "latent_norm", "mlp_norm", "router_bias")
    ] + [
        (name, _Matrix)
        for name in ("q", "kv_a", "kv_b", "o", "gate", "up", "down", "router", "routed_in", "routed_out")
    ]  # fmt: skip


class _Model(_Struct):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("layers", "width", "heads", "rank", "nope", "rope", "value")),
        *((name, ctypes.c_int64) for name in ("experts", "active", "inner", "widest", "normalise", "tiles")),
        *((name, ctypes.c_float) for name in ("eps", "latent_eps", "routed_scale", "padding")),
        ("frequencies", ctypes.c_void_p),
        ("final_norm", ctypes.c_void_p),
        ("head", _Matrix),
        ("layer", ctypes.POINTER(_Layer)),
    ]


class _Call(_Struct):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("rows", "threads", "x_kind", "cache_kind", "layer_stride", "row_stride")),
        *((name, ctypes.c_void_p) for name in ("x", "cache", "cache_rows", "lengths", "positions", "logits")),
        ("scratch", ctypes.c_void_p),
    ]


class NativeStep:
    """A `Step` of the runtime. It holds pointers to the model's weights: they must stay where they are.

    The norms are copied when it is made. One call at a time; a second thread waits.
    """

    max_rows = MAX_ROWS

    def __init__(self, model: KimiVL, library: Library) -> None:
        """ValueError for a model whose weights the C code cannot read: another dtype, device or kind of layer."""
        config = model.config.text
        if config.num_experts_per_tok > MAX_ACTIVE or config.qk_nope_head_dim + config.v_head_dim < 4:
            raise ValueError(f"the native step has no room for {config.num_experts_per_tok} experts a token")
        self._functions = _checked(library)
        self._kept: list[Tensor] = []  # whatever the pointers point to
        self._lock = threading.Lock()
        self._vocab_size = config.vocab_size
        self._width = config.hidden_size
        language_model = model.language_model
        self._layers = (_Layer * config.num_hidden_layers)(
            *(self._layer(cast("DecoderLayer", layer)) for layer in language_model.model.layers)
        )
        pair = torch.arange(0, config.qk_rope_head_dim, 2, dtype=torch.float32) / config.qk_rope_head_dim
        self._model = _Model(
            layers=config.num_hidden_layers, width=config.hidden_size, heads=config.num_attention_heads,
            rank=config.kv_lora_rank, nope=config.qk_nope_head_dim, rope=config.qk_rope_head_dim,
            value=config.v_head_dim, experts=config.n_routed_experts, active=config.num_experts_per_tok,
            inner=config.moe_intermediate_size, normalise=config.norm_topk_prob, tiles=self._functions.request_tiles(),
            widest=max(config.intermediate_size, config.n_shared_experts * config.moe_intermediate_size),
            eps=config.rms_norm_eps, latent_eps=KV_NORM_EPS, routed_scale=config.routed_scaling_factor,
            frequencies=self._floats(config.rope_theta**-pair),
            final_norm=self._floats(language_model.model.norm.weight), head=self._matrix(language_model.lm_head),
            layer=self._layers,
        )  # fmt: skip
        self._threads = 0
        self._scratch = torch.empty(0)
        self._places = torch.empty(3, MAX_ROWS, dtype=torch.int64)  # cache rows, lengths, positions

    def __call__(self, x_BD: Tensor, cache: LatentCache, rows: Sequence[int]) -> Tensor:
        """Logits [B, V] fp32; the cache has the tokens afterwards. ValueError, before any work, where a row is full."""
        if not 1 <= len(rows) <= MAX_ROWS or len(set(rows)) < len(rows):
            raise ValueError(f"a native step takes 1 to {MAX_ROWS} different rows, got {list(rows)}")
        if x_BD.shape != (len(rows), self._width) or not x_BD.is_cpu or not cache.values.is_cpu:
            raise ValueError(f"x_BD must be [{len(rows)}, {self._width}] on the CPU, got {tuple(x_BD.shape)}")
        for row in rows:
            cache.require_room(row, 1)
        x_BD, values = x_BD.contiguous(), cache.values
        positions = [cache.next_position(row) for row in rows]
        logits_BV = torch.empty(len(rows), self._vocab_size)
        with self._lock:
            self._prepare(torch.get_num_threads())
            self._places[:, : len(rows)] = torch.tensor([list(rows), [cache.lengths[row] for row in rows], positions])
            call = _Call(
                rows=len(rows), threads=self._threads, x=x_BD.data_ptr(), x_kind=_kind(x_BD), cache=values.data_ptr(),
                cache_kind=_kind(values), layer_stride=values.stride(0), row_stride=values.stride(1),
                cache_rows=self._places[0].data_ptr(), lengths=self._places[1].data_ptr(),
                positions=self._places[2].data_ptr(), logits=logits_BV.data_ptr(), scratch=self._scratch.data_ptr(),
            )  # fmt: skip
            self._functions.decode_step(ctypes.byref(self._model), ctypes.byref(call))
        for row, position in zip(rows, positions, strict=True):
            cache.advance(row, (position,))
        return logits_BV

    def _prepare(self, threads: int) -> None:
        if threads != self._threads:
            needed = self._functions.scratch_bytes(ctypes.byref(self._model), ctypes.c_int64(threads))
            self._scratch, self._threads = torch.zeros(needed // 64 + 1, 16), threads

    def _layer(self, layer: DecoderLayer) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        native = _Layer(
            attention_norm=self._floats(layer.input_layernorm.weight),
            latent_norm=self._floats(attention.kv_a_layernorm.weight),
            mlp_norm=self._floats(layer.post_attention_layernorm.weight),
            q=self._matrix(attention.q_proj),
            kv_a=self._matrix(attention.kv_a_proj_with_mqa),
            kv_b=self._matrix(attention.kv_b_proj),
            o=self._matrix(attention.o_proj),
        )
        dense = mlp.shared_experts if isinstance(mlp, MoE) else mlp
        if dense is not None:
            native.gate, native.up = self._matrix(dense.gate_proj), self._matrix(dense.up_proj)
            native.down = self._matrix(dense.down_proj)
        if isinstance(mlp, MoE):
            native.router, native.router_bias = (
                self._weight(mlp.gate.weight),
                self._floats(mlp.gate.e_score_correction_bias),
            )
            experts = cast("nn.Module", mlp.experts)
            if isinstance(experts, QuantizedExperts):
                native.routed_in, native.routed_out = self._weight(experts.gate_up), self._weight(experts.down)
            else:
                native.routed_in, native.routed_out = map(
                    self._weight, (mlp.experts.gate_up_proj, mlp.experts.down_proj)
                )
        return native

    def _matrix(self, module: nn.Module) -> _Matrix:
        if isinstance(module, QuantizedLinear):
            return self._weight(module.quantized)
        if type(module) is not nn.Linear or "bias" in dict(module.named_parameters()):
            raise ValueError(f"the native step cannot read {module}: merge what wraps its weight first")
        return self._weight(module.weight)

    def _weight(self, weight: Tensor | QuantizedWeight) -> _Matrix:
        self._kept += [weight] if isinstance(weight, Tensor) else [weight.codes, weight.scales]
        return _matrix_of(weight)

    def _floats(self, values: Tensor) -> int:
        """A copy of a small tensor, as fp32."""
        self._kept.append(values.detach().to("cpu", torch.float32, copy=True).contiguous())
        return self._kept[-1].data_ptr()


def dequantize_into(library: Library, weight: QuantizedWeight, out: Tensor) -> None:
    """`dequantize` of quantized_weight.py into `out` (bf16 or fp32, [.., N, K]), with all threads: the same bits."""
    if tuple(out.shape) != weight.shape or not out.is_contiguous() or not out.is_cpu:
        raise ValueError(f"out is {tuple(out.shape)} on {out.device}, the weight {weight.shape}")
    matrix = _matrix_of(weight)
    _checked(library).dequantize(
        ctypes.byref(matrix), ctypes.c_void_p(out.data_ptr()), ctypes.c_int64(_kind(out)), _threads()
    )


def read_bandwidth(library: Library, nbytes: int = 1 << 29, *, repeats: int = 5) -> float:
    """Bytes a second that all threads together read from memory, the best of some times through `nbytes`."""
    functions = _checked(library)
    with mmap.mmap(-1, nbytes) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        buffer = torch.frombuffer(memory, dtype=torch.uint8)
        buffer.fill_(1)
        times: list[float] = []
        for _ in range(repeats):
            start = time.perf_counter()
            functions.stream_read(ctypes.c_void_p(buffer.data_ptr()), ctypes.c_int64(nbytes), _threads())
            times.append(time.perf_counter() - start)
        del buffer
    return nbytes / min(times)


def advise_huge_pages(tensors: Iterable[Tensor]) -> int:
    """Ask Linux to put CPU tensors on 2 MiB pages, now; returns the bytes it took. Reading them gets faster."""
    libc = ctypes.CDLL(None)
    page, taken = 1 << 21, 0
    for tensor in tensors:
        first = -(-tensor.data_ptr() // page) * page
        size = (tensor.data_ptr() + tensor.nbytes) // page * page - first
        if tensor.is_cpu and size > 0:
            place = ctypes.c_void_p(first), ctypes.c_size_t(size)
            libc.madvise(*place, 14)  # MADV_HUGEPAGE
            taken += size if libc.madvise(*place, 25) == 0 else 0  # MADV_COLLAPSE, Linux 6.1
    return taken


def _matrix_of(weight: Tensor | QuantizedWeight) -> _Matrix:
    tensors = [weight] if isinstance(weight, Tensor) else [weight.codes, weight.scales]
    if not all(tensor.is_cpu and tensor.is_contiguous() for tensor in tensors):
        raise ValueError(f"a weight of shape {tuple(weight.shape)} is not contiguous on the CPU")
    codes, scales = tensors[0], tensors[1].data_ptr() if len(tensors) > 1 else None
    return _Matrix(
        data=codes.data_ptr(),
        scales=scales,
        rows=codes.numel() // codes.shape[-1],
        cols=weight.shape[-1],
        row_bytes=codes.shape[-1] * codes.element_size(),
        kind=_kind(weight),
    )


def _kind(values: Tensor | QuantizedWeight) -> int:
    kind = _KINDS.get(values.dtype if isinstance(values, Tensor) else values.bits)
    if kind is None:
        raise ValueError(f"the native code reads float32 and bfloat16, not {cast('Tensor', values).dtype}")
    return kind


def _threads() -> ctypes.c_int64:
    return ctypes.c_int64(torch.get_num_threads())


def _checked(library: Library) -> ctypes.CDLL:
    functions = library.functions
    functions.struct_bytes.restype = functions.scratch_bytes.restype = functions.request_tiles.restype = ctypes.c_int64
    for which, struct in enumerate((_Matrix, _Layer, _Model, _Call)):
        if functions.struct_bytes(ctypes.c_int64(which)) != ctypes.sizeof(struct):
            raise ValueError(f"{library.path} was built from another decode.c: remove it")
    return functions
