"""The doctor's look at the extras: what each is for, and whether it is installed. Nothing is imported."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from .finding import Finding


@dataclass(frozen=True)
class Extra:
    """What `pip install 'moonhand[NAME]'` adds: for what, and the modules it brings."""

    does: str  # in 20 letters: the command that installs it stands in the same line of a terminal
    modules: tuple[str, ...]


EXTRAS: dict[str, Extra] = {
    "serve": Extra("moonhand serve", ("fastapi", "uvicorn", "prometheus_client")),
    "mcp": Extra("moonhand mcp", ("mcp",)),
    "pdf": Extra("moonhand ask: PDFs", ("pypdfium2",)),
    "video": Extra("films, in and out", ("av",)),
    "hf": Extra("in transformers", ("transformers", "accelerate", "huggingface_hub")),
    "download": Extra("moonhand model download", ("huggingface_hub",)),
    "ray": Extra("evaluations on Ray", ("ray",)),
    "remote": Extra("--model openai:URL", ("httpx2",)),
    "data": Extra("exports as Parquet", ("pyarrow",)),
    "ocr": Extra("words on screens", ("rapidocr", "onnxruntime")),
    "miniwob": Extra("eval episodes", ("miniwob",)),
}


def check_extra(name: str) -> Finding:
    """Whether it is installed; that it is not is no failure: only its own commands need it."""
    extra = EXTRAS[name]
    ok = all(find_spec(module) is not None for module in extra.modules)
    return Finding("extra", name, ok, False, extra.does, None if ok else f"pip install 'moonhand[{name}]'")
