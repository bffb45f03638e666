"""Triton compiles every kernel for a Hopper GPU, at Kimi-VL's sizes: its compiler needs no GPU, only its launcher does.

The interpreter of `test_kernels.py` lets pass what the compiler refuses: shapes that change, too much shared memory.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from moonhand.model import load_config
from moonhand.model.attention import RMSNorm
from moonhand.model.decode_ops import Places, Shared, Weight
from moonhand.model.quantized_weight import QuantizedWeight

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")]

CONFIG = load_config(Path(__file__).parents[1] / "golden" / "kimi_vl_instruct").text
WIDTH, INNER, SHARED = CONFIG.hidden_size, CONFIG.moe_intermediate_size, 2 * CONFIG.moe_intermediate_size
LATENT = CONFIG.kv_lora_rank + CONFIG.qk_rope_head_dim
QKV = CONFIG.num_attention_heads * CONFIG.qk_head_dim + LATENT
SHARED_MEMORY_BYTES = 227 * 1024  # a program's, on an H100 or H200
KINDS = {
    torch.bfloat16: "bf16",
    torch.float16: "fp16",
    torch.float32: "fp32",
    torch.int32: "i32",
    torch.int8: "i8",
    torch.uint8: "u8",
}


def compile_kernel(kernel: Any, _: tuple[int, ...], *arguments: object, warps: int = 4) -> None:
    """In place of a launch. As a launch does, it takes addresses and multiples of 16 for divisible by 16."""
    compiler: Any = import_module("triton.compiler")
    backend: Any = import_module("triton.backends.compiler")
    signature: dict[str, str] = {}
    constants: dict[tuple[int], object] = {}
    attributes: dict[tuple[int], list[list[object]]] = {}
    for place, (parameter, given) in enumerate(zip(kernel.params, arguments, strict=True)):
        if parameter.is_constexpr or (isinstance(given, int) and given == 1):
            signature[parameter.name] = "constexpr"
            constants[(place,)] = given
        elif isinstance(given, torch.Tensor):
            signature[parameter.name] = "*" + KINDS[given.dtype]
            attributes[(place,)] = [["tt.divisibility", 16]]
        else:
            signature[parameter.name] = "fp32" if isinstance(given, float) else "i32"
            if isinstance(given, int) and given % 16 == 0:
                attributes[(place,)] = [["tt.divisibility", 16]]
    source = compiler.ASTSource(kernel, signature, constants, attributes)
    options = {"num_warps": warps, "launch_pdl": bool(arguments[-1])}
    compiled = compiler.compile(source, target=backend.GPUTarget("cuda", 90, 32), options=options)
    assert compiled.metadata.shared <= SHARED_MEMORY_BYTES, f"{kernel} wants {compiled.metadata.shared} bytes"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


def weight_maker(bits: int, dtype: torch.dtype) -> Callable[..., Weight]:
    def make(*shape: int) -> Weight:
        *rows, columns = shape
        if bits == 8:
            return QuantizedWeight(torch.empty(shape, dtype=torch.int8), torch.empty(rows), 8, columns)
        if bits == 4:
            scales = torch.empty(*rows, columns // 64, dtype=torch.float16)
            return QuantizedWeight(torch.empty(*rows, columns // 2, dtype=torch.uint8), scales, 4, columns)
        return torch.empty(shape, dtype=dtype)

    return make


CASES = [
    *[(rows, 16, torch.bfloat16) for rows in (1, 4, 8, 64, 256)],
    *[(rows, 16, torch.float32) for rows in (1, 8, 64)],
    *[(rows, bits, torch.bfloat16) for rows in (1, 8, 64) for bits in (8, 4)],
]


@pytest.mark.parametrize(("rows", "bits", "dtype"), CASES)
def test_every_kernel_compiles(rows: int, bits: int, dtype: torch.dtype) -> None:
    kernels: Any = import_module("moonhand.model.kernels")
    ops = kernels.KernelOps(launch=compile_kernel, is_dependent=rows == 1)
    weight = weight_maker(bits, dtype)
    norm = RMSNorm(WIDTH, 1e-5).to(dtype)
    x, hidden = torch.zeros(rows, WIDTH, dtype=dtype), torch.zeros(rows, SHARED, dtype=dtype)
    ops.norm(x, norm)
    ops.linear(x, weight(QKV, WIDTH), norm=norm)
    ops.linear(x, weight(WIDTH, WIDTH), residual_BN=x)
    ops.linear(x, torch.zeros(64, WIDTH, dtype=dtype), out_BN=torch.zeros(rows, 64))
    ops.linear(x, weight(2048, WIDTH), norm=norm, out_BN=torch.zeros(rows, 2048))
    ops.swiglu(x, weight(2 * SHARED, WIDTH))
    weights, ids = ops.route(torch.zeros(rows, 64), torch.zeros(64), CONFIG)
    shared = Shared(hidden, weight(WIDTH, SHARED))
    ops.experts(x, weights, ids, weight(2, 2 * INNER, WIDTH), weight(2, WIDTH, INNER), shared, x)
    for splits in (4, 128) if bits == 16 else ():
        numbers = torch.zeros(rows, dtype=torch.int32)
        places = Places(numbers, numbers, torch.zeros(rows, 32), torch.zeros(rows, 32), splits)
        values = torch.zeros(rows, 64, LATENT, dtype=dtype)
        kv_b = torch.zeros(CONFIG.num_attention_heads * 256, CONFIG.kv_lora_rank, dtype=dtype)
        ops.attend(torch.zeros(rows, QKV, dtype=dtype), kv_b, torch.zeros(512, dtype=dtype), values, places, CONFIG)
