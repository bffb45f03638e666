"""The doctor's look at the model: torch, the device, the weights, and whether larger ones would fit."""

from __future__ import annotations

import shutil
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .finding import Finding

if TYPE_CHECKING:
    from ..model.config import Quantization

HELD = ("bf16", "int8", "int4")
_GIB = 1 << 30


def check_torch() -> Finding:
    """Whether PyTorch imports."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of a CUDA build is missing
        mend = f"{sys.executable} -m pip install torch==2.13.0"
        return Finding("model", "torch", False, True, f"does not import: {error}", mend)
    return Finding("model", "torch", True, True, f"{torch.__version__}, {torch.get_num_threads()} CPU threads")


def check_gpu() -> Finding:
    """Whether the model runs on one."""
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        detail = f"{torch.cuda.get_device_name(0)}, {free / _GIB:.1f} of {total / _GIB:.1f} GiB free"
        return Finding("model", "gpu", True, False, detail)
    if shutil.which("nvidia-smi") is None:
        return Finding("model", "gpu", False, False, "none: the model runs on the CPU, for which nano is made")
    mend = f"{sys.executable} -m pip install --force-reinstall torch  # a build for CUDA"
    return Finding("model", "gpu", False, False, "an NVIDIA driver is there, but this torch does not use it", mend)


def check_bf16() -> Finding:
    """Whether bf16 multiplies right on the device the model will use."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = torch.arange(64, dtype=torch.float32, device=device).reshape(8, 8) / 64
    product = (rows.bfloat16() @ rows.bfloat16().T).float()
    ok = torch.allclose(product, rows @ rows.T, rtol=0.02)
    detail = f"{'right' if ok else 'wrong'} on the {'GPU' if device == 'cuda' else 'CPU'}"
    return Finding("model", "bf16", ok, False, detail, None if ok else "moonhand run --dtype float32")


def check_decoding() -> Finding:
    """Whether replies are decoded by compiled code; without it by PyTorch, which is slower."""
    import torch

    if torch.cuda.is_available():
        ok = find_spec("triton") is not None
        detail = "by Triton kernels in CUDA graphs" if ok else "by PyTorch alone: triton is not installed"
        mend = None if ok else f"{sys.executable} -m pip install triton"
        return Finding("model", "decoding", ok, False, detail, mend)
    from ..model.native_library import Unavailable, load_library

    library = load_library()
    if isinstance(library, Unavailable):
        detail = f"by PyTorch alone: {library.reason}"
        mend = "sudo apt-get install gcc"
        if library.cache_dir is not None:
            mend = "export XDG_CACHE_HOME=$PWD/.cache  # or any folder that you may write"
        return Finding("model", "decoding", False, False, detail, mend)
    detail = f"compiled by {library.compiler}, in {library.path.parent}"
    return Finding("model", "decoding", True, False, detail)


def check_model(model: str) -> Finding:
    """Whether the weights are there and load, or the server that has them answers."""
    from ..model import ModelError, load
    from ..model.counts import count_model
    from ..model.remote_address import is_remote

    if is_remote(model):
        return _check_server(model)
    start_s = time.perf_counter()
    try:
        engine = load(model)
    except (ModelError, OSError) as error:
        mend = "moonhand doctor --model DIR  # the folder of a checkpoint, or nano"
        if model == "nano":
            mend = f"{sys.executable} -m pip install --force-reinstall --no-deps moonhand  # it carries the weights"
        return Finding("model", f"model {model}", False, True, str(error), mend)
    counts = count_model(engine.config)
    took_s = time.perf_counter() - start_s
    detail = f"{counts.parameters:,} parameters, {counts.bytes / 1e6:,.0f} MB, loaded in {took_s:.1f} s"
    return Finding("model", f"model {model}", True, True, detail)


def _check_server(model: str) -> Finding:
    from ..model import ModelError, open_remote

    remarks: list[str] = []
    try:
        engine = open_remote(model, say=remarks.append)
    except ModelError as error:
        mend = "moonhand doctor --model openai:URL#NAME  # once the server answers, or with another address"
        return Finding("model", f"model {model}", False, True, str(error), mend)
    return Finding("model", f"model {model}", True, True, "; ".join((f"served as {engine.name}", *remarks)))


def check_memory(held: str) -> Finding:
    """Whether a published 16B checkpoint, held in bf16, int8 or int4, fits what is free where it would run."""
    import torch

    from ..model.layout import empty_model, model_layout
    from ..model.memory import available_bytes, needed_bytes
    from ..model.presets import preset

    quantization: dict[str, Quantization | None] = {"bf16": None, "int8": "int8", "int4": "int4"}
    layout = model_layout(empty_model(preset("instruct")))
    need = {name: needed_bytes(layout, torch.bfloat16, kind) for name, kind in quantization.items()}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    free = available_bytes(device)
    name, where = f"16B in {held}", "GPU memory" if device.type == "cuda" else "memory"
    if free is None:
        return Finding("model", name, True, False, f"needs {need[held] / _GIB:.1f} GiB of {where}; free is unknown")
    ok = need[held] <= free
    detail = f"needs {need[held] / _GIB:.1f} GiB, and {free / _GIB:.1f} GiB of {where} are free"
    smaller = next((kind for kind in HELD if need[kind] <= free), None)
    mend = None
    if not ok:
        mend = f"moonhand run --quantize {smaller}" if smaller else "moonhand run --model nano  # fits anywhere"
    return Finding("model", name, ok, False, detail, mend)
