"""Nano behind a real server on a thread of this process, and the screenshot that is asked about."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from moonhand.envs import Frame
from moonhand.model import Engine, load
from moonhand.model.scheduler import Scheduler, SchedulerConfig
from moonhand.tasks.serve.app import make_app
from moonhand.tasks.serve.config import ServeConfig
from moonhand.tasks.serve.running import serving
from PIL import Image, ImageDraw
from served_here import Serve, Served


@pytest.fixture(scope="session")
def nano() -> Generator[Engine]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load("nano", device="cpu", dtype="float32")
    torch.set_num_threads(num_threads)


@pytest.fixture(scope="session")
def serve(nano: Engine) -> Serve:
    """`with serve(max_running=1, timeout_s=2) as served`: a server with these settings over the one engine."""

    @contextmanager
    def opened(*, max_running: int = 4, max_waiting: int = 64, **limits: Any) -> Generator[Served]:
        lines: list[str] = []
        settings = SchedulerConfig(max_running=max_running, max_waiting=max_waiting, context_tokens=4096)
        with Scheduler(nano, settings) as scheduler:
            app = make_app(scheduler, ServeConfig(**limits), lines.append)
            with serving(app) as url:
                yield Served(url, nano, scheduler, app, lines)

    return opened


@pytest.fixture(scope="session")
def served(serve: Serve) -> Generator[Served]:
    """The usual one, shared."""
    with serve() as found:
        yield found


@pytest.fixture(scope="session")
def form() -> Frame:
    image = Image.new("RGB", (280, 196), "white")
    draw = ImageDraw.Draw(image)
    for left, label, colour in ((20, "Cancel", (150, 150, 150)), (160, "Save", (40, 90, 200))):
        draw.rectangle((left, 120, left + 90, 150), fill=colour)
        draw.text((left + 25, 129), label, fill="white")
    return Frame(np.asarray(image))


@pytest.fixture(scope="session")
def uri_of(form: Frame) -> Callable[[str], str]:
    """The form as a data URI of a format."""

    def told(kind: str) -> str:
        out = io.BytesIO()
        Image.fromarray(form.pixels_HW3).save(out, kind, **({"lossless": True} if kind == "WEBP" else {}))
        return f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"

    return told


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOONHAND_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
