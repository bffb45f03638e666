"""What the sections of `gpu.py` share: the device, the model, times and the table's rows."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

ROOT = Path(__file__).parents[2]
if find_spec("moonhand") is None:  # a machine where the project is not installed
    sys.path.insert(0, str(ROOT / ".namespace"))

from moonhand.model.config import KimiVLConfig  # noqa: E402
from moonhand.model.kimi_vl import KimiVL  # noqa: E402

if TYPE_CHECKING:
    from moonhand.model.kernels import KernelOps, Tiles


@dataclass(frozen=True)
class Row:
    """One figure. `share` is of the limit the device's measured bandwidth or arithmetic sets."""

    name: str
    value: float
    unit: str
    target: float | None = None
    share: float | None = None
    note: str = ""


@dataclass
class Bench:
    """What sections share: the device, the sizes, the model once it is made, and what was measured before."""

    device: torch.device
    is_quick: bool
    config: KimiVLConfig
    copy_gb_s: float = 4300.0  # replaced by the measured one
    matmul_tflop_s: float = 788.0
    rows: list[Row] = field(default_factory=list[Row])
    rates: dict[tuple[int, int], float] = field(default_factory=dict[tuple[int, int], float])  # ours, of decode
    _model: KimiVL | None = None
    tiles: Tiles | None = None

    def add(self, name: str, value: float, unit: str, **more: Any) -> None:
        row = Row(name, value, unit, **more)
        self.rows.append(row)
        print(line_of(row), flush=True)

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.is_cuda else torch.float32

    @property
    def model(self) -> KimiVL:
        if self._model is None:
            self._model = self.build(self.config, self.dtype)
        return self._model

    def build(self, config: KimiVLConfig, dtype: torch.dtype) -> KimiVL:
        """Random weights, made on the device; the router's bias too."""
        torch.manual_seed(0)
        with default_dtype(dtype), torch.device(self.device):
            model = KimiVL(config).eval().requires_grad_(False)
        for name, parameter in model.named_parameters():
            if name.endswith("e_score_correction_bias"):
                parameter.copy_(0.01 * torch.randn(parameter.shape, device=self.device))
        return model

    def drop_model(self) -> None:
        self._model = None
        gc.collect()
        if self.is_cuda:
            torch.cuda.empty_cache()

    def require_kernels(self) -> type[KernelOps]:
        if not self.is_cuda:
            raise Skipped("needs CUDA and Triton")
        from moonhand.model.kernels import KernelOps

        return KernelOps

    def noise(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, device=self.device, dtype=self.dtype)

    def time_ms(self, work: Callable[[], object], repeats: int = 10) -> float:
        """Median, after one round to warm up."""
        work()
        times: list[float] = []
        for _ in range(2 if self.is_quick else repeats):
            self.wait()
            started_s = time.perf_counter()
            work()
            self.wait()
            times.append(1e3 * (time.perf_counter() - started_s))
        return statistics.median(times)

    def time_graph_ms(self, work: Callable[[], object]) -> float:
        """The same for many small launches: captured once, replayed."""
        work()
        self.wait()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return self.time_ms(graph.replay)

    def wait(self) -> None:
        if self.is_cuda:
            torch.cuda.synchronize()


class Skipped(Exception):
    """A section that this device or machine cannot run."""


def line_of(row: Row) -> str:
    target = "" if row.target is None else f"target {row.target:g}"
    share = "" if row.share is None else f"{100 * row.share:.0f} % of limit"
    value = f"{row.value:,.2f}" if abs(row.value) >= 100 else f"{row.value:.4g}"
    return f"{row.name:<62} {value:>12} {row.unit:<8} {target:<13} {share:<15} {row.note}".rstrip()


@contextmanager
def default_dtype(dtype: torch.dtype) -> Generator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def tiny(config: KimiVLConfig) -> KimiVLConfig:
    """The same with a few thousand parameters."""
    text = replace(
        config.text, vocab_size=320, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96,
        moe_intermediate_size=64, n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1, kv_lora_rank=64,
        qk_nope_head_dim=16, qk_rope_head_dim=16, v_head_dim=16, max_position_embeddings=4096, bos_token_id=1,
        eos_token_id=2, pad_token_id=3,
    )  # fmt: skip
    vision = replace(config.vision, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48)
    return replace(config, text=text, vision=vision, media_placeholder_token_id=319)
