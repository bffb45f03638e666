"""Kimi-VL: messages and pictures in, text out.

Names are loaded when used: importing this package imports no torch.

Tensor names end in their dimensions. The letters, everywhere in this package:

    B sequences            P patches of packed images     E experts
    L text tokens (new)    T image tokens (after merge)   A active experts of a token
    S tokens seen so far   M patches in a merge group     I inner width of an expert
    D width                C channels or classes          V vocabulary
    H heads                K width of a head              R latent rank
    Q questions            H, W, 3 rows, columns and colours where a name is of pixels
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answering import Answering, open_model
    from .chat import Message, Picture, Thinking, render, split_thinking
    from .config import ImageConfig, KimiVLConfig, TextConfig, VisionConfig, load_config
    from .counts import ModelCounts, inspect_model
    from .engine import Engine, EngineConfig, load
    from .errors import (
        BadCheckpoint,
        BadConfig,
        BadGrammar,
        BadImage,
        BadTokenizer,
        Cancelled,
        ContextTooLong,
        MissingExtra,
        ModelError,
        NoDevice,
        NoRemote,
        NotEnoughDisk,
        NotEnoughMemory,
        QueueFull,
    )
    from .generation import Generation
    from .grammar import Grammar, remote_fields
    from .image import ImagePatches, ImageTransform, image_transform, preprocess
    from .kimi_vl import KimiVL
    from .kv_cache import LatentCache
    from .remote import RemoteConfig, RemoteEngine, RemoteWarning, open_remote
    from .remote_http import HttpConfig
    from .sampling import SamplingConfig
    from .scheduler import Scheduler, SchedulerConfig, SchedulerCounts, Ticket
    from .tokenizer import StreamDecoder, Tokenizer, write_tiktoken_model
    from .weights import load_model, load_weights, save_checkpoint
    from .writing import GeneratedToken

_HOME = {
    "Answering": "answering",
    "BadCheckpoint": "errors",
    "BadConfig": "errors",
    "BadGrammar": "errors",
    "BadImage": "errors",
    "BadTokenizer": "errors",
    "Cancelled": "errors",
    "ContextTooLong": "errors",
    "Engine": "engine",
    "EngineConfig": "engine",
    "GeneratedToken": "writing",
    "Generation": "generation",
    "Grammar": "grammar",
    "HttpConfig": "remote_http",
    "ImageConfig": "config",
    "ImagePatches": "image",
    "ImageTransform": "image",
    "KimiVL": "kimi_vl",
    "KimiVLConfig": "config",
    "LatentCache": "kv_cache",
    "Message": "chat",
    "MissingExtra": "errors",
    "ModelCounts": "counts",
    "ModelError": "errors",
    "NoDevice": "errors",
    "NoRemote": "errors",
    "NotEnoughDisk": "errors",
    "NotEnoughMemory": "errors",
    "Picture": "chat",
    "QueueFull": "errors",
    "RemoteConfig": "remote",
    "RemoteEngine": "remote",
    "RemoteWarning": "remote",
    "SamplingConfig": "sampling",
    "Scheduler": "scheduler",
    "SchedulerConfig": "scheduler",
    "SchedulerCounts": "scheduler",
    "StreamDecoder": "tokenizer",
    "TextConfig": "config",
    "Thinking": "chat",
    "Ticket": "scheduler",
    "Tokenizer": "tokenizer",
    "VisionConfig": "config",
    "image_transform": "image",
    "inspect_model": "counts",
    "load": "engine",
    "load_config": "config",
    "load_model": "weights",
    "load_weights": "weights",
    "open_model": "answering",
    "open_remote": "remote",
    "preprocess": "image",
    "remote_fields": "grammar",
    "render": "chat",
    "save_checkpoint": "weights",
    "split_thinking": "chat",
    "write_tiktoken_model": "tokenizer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(_HOME)


__all__ = [
    "Answering",
    "BadCheckpoint",
    "BadConfig",
    "BadGrammar",
    "BadImage",
    "BadTokenizer",
    "Cancelled",
    "ContextTooLong",
    "Engine",
    "EngineConfig",
    "GeneratedToken",
    "Generation",
    "Grammar",
    "HttpConfig",
    "ImageConfig",
    "ImagePatches",
    "ImageTransform",
    "KimiVL",
    "KimiVLConfig",
    "LatentCache",
    "Message",
    "MissingExtra",
    "ModelCounts",
    "ModelError",
    "NoDevice",
    "NoRemote",
    "NotEnoughDisk",
    "NotEnoughMemory",
    "Picture",
    "QueueFull",
    "RemoteConfig",
    "RemoteEngine",
    "RemoteWarning",
    "SamplingConfig",
    "Scheduler",
    "SchedulerConfig",
    "SchedulerCounts",
    "StreamDecoder",
    "TextConfig",
    "Thinking",
    "Ticket",
    "Tokenizer",
    "VisionConfig",
    "image_transform",
    "inspect_model",
    "load",
    "load_config",
    "load_model",
    "load_weights",
    "open_model",
    "open_remote",
    "preprocess",
    "remote_fields",
    "render",
    "save_checkpoint",
    "split_thinking",
    "write_tiktoken_model",
]
