"""What a server gains by answering several requests at a time: a scheduler beside one `engine.generate` after another.

    python tests/bench/bench_scheduler.py [--model nano|DIR|small] [--threads N] [--requests N] [--rounds N]
                                          [--concurrent 1,4,8,16]

`nano` is asked for clicks, half of the requests with a picture of 480x440 of their own, half with text alone, and with
pictures alone; `small` is a random decoder of about 108 M parameters with a small tower, which gets texts and writes 64
tokens each. Each number of clients sends its next request when the last was answered; the caches are emptied before.
Ways take turns within a round. Tokens a second are the replies' own; time to the first token counts from sending, so
for one at a time it includes waiting for the others. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from moonhand.model import (
    Engine,
    Generation,
    Message,
    Picture,
    SamplingConfig,
    Scheduler,
    SchedulerConfig,
    VisionConfig,
    load,
)
from moonhand.model.presets import preset
from moonhand.model.random_checkpoint import write_random_checkpoint

HEIGHT_PX, WIDTH_PX = 440, 480
TOWER = VisionConfig(
    patch_size=14, hidden_size=192, num_hidden_layers=2, num_attention_heads=3, intermediate_size=768,
    init_pos_emb_height=64, init_pos_emb_width=64,
)  # fmt: skip
Request = tuple[Sequence[Message], SamplingConfig]
Answer = Callable[[Request], float]  # seconds to the first token


@dataclass(frozen=True)
class Figures:
    """Of one way to answer all requests, medians over rounds."""

    tokens_per_s: float
    requests_per_s: float
    first_token_p50_s: float
    first_token_p99_s: float
    processor_s: float  # of all threads, a request: what a busy machine's clock does not tell


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="nano")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrent", default="1,4,8,16")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        engine = small(Path(folder) / "small") if arguments.model == "small" else load(arguments.model)
        cases = (
            {"texts": texts(arguments.requests)}
            if arguments.model == "small"
            else {"pictures": clicks(arguments.requests, 1), "pictures and texts": clicks(arguments.requests, 2)}
        )
        wanted = [int(number) for number in arguments.concurrent.split(",")]
        results = {name: measure(engine, requests, wanted, arguments.rounds) for name, requests in cases.items()}
    load_1min = os.getloadavg()[0]
    print(
        f"load of the machine at the end {load_1min:.1f} on {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    )
    told = {"device": str(engine.device), "dtype": str(engine.dtype), "threads": torch.get_num_threads()}
    print(json.dumps({"bench": "scheduler", "model": engine.name, "load": load_1min, **told, "cases": results}))


def measure(engine: Engine, requests: Sequence[Request], wanted: Sequence[int], rounds: int) -> dict[str, Any]:
    ways: dict[str, Callable[[], Figures]] = {"one at a time": lambda: run(engine, requests, 1, one_at_a_time(engine))}
    for number in wanted:
        ways[f"{number} concurrent"] = lambda number=number: scheduled(engine, requests, number)
    run(engine, requests[:2], 1, one_at_a_time(engine))
    samples: dict[str, list[Figures]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            samples[name].append(way())
    result = {name: median(each) for name, each in samples.items()}
    alone = result["one at a time"]
    for name, found in result.items():
        gain = found.tokens_per_s / alone.tokens_per_s
        print(
            f"  {name}: {found.tokens_per_s:.0f} tokens/s ({gain:.2f} times), {found.requests_per_s:.1f} requests/s of "
            f"{1000 * found.processor_s:.0f} ms of a processor each, first token after {found.first_token_p50_s:.3f} s "
            f"(half), {found.first_token_p99_s:.3f} s (99 in 100)"
        )
    return {name: asdict(found) for name, found in result.items()}


def median(figures: Sequence[Figures]) -> Figures:
    columns = zip(*(asdict(each).values() for each in figures), strict=True)
    return Figures(*(statistics.median(column) for column in columns))


def one_at_a_time(engine: Engine) -> Answer:
    def answer(request: Request) -> float:
        started_s = time.perf_counter()
        found = engine.generate(*request)
        counted.append(found.num_tokens)
        return time.perf_counter() - started_s - found.decode_s

    return answer


counted: list[int] = []  # tokens of each reply of the way that runs now


def scheduled(engine: Engine, requests: Sequence[Request], number: int) -> Figures:
    with Scheduler(engine, SchedulerConfig(max_running=number, context_tokens=1024)) as scheduler:

        def answer(request: Request) -> float:
            started_s = time.perf_counter()
            first_s: list[float] = []
            ended = threading.Event()

            def end(found: Generation | BaseException) -> None:
                assert isinstance(found, Generation), found
                counted.append(found.num_tokens)
                ended.set()

            scheduler.submit(*request, on_token=lambda _: first_s.append(time.perf_counter()), on_end=end)
            ended.wait()
            return first_s[0] - started_s

        return run(engine, requests, number, answer)


def run(engine: Engine, requests: Sequence[Request], number: int, answer: Answer) -> Figures:
    """All requests, so many at a time, with nothing known of any."""
    if engine.prefixes is not None:
        engine.prefixes.clear()
    engine.sight.forget()
    counted.clear()
    with ThreadPoolExecutor(number) as clients:
        started_s, processor_s = time.perf_counter(), time.process_time()
        first_s = sorted(clients.map(answer, requests))
        took_s, processor_s = time.perf_counter() - started_s, time.process_time() - processor_s
    last = min(len(first_s) - 1, round(0.99 * (len(first_s) - 1)))
    each_s = processor_s / len(requests)
    return Figures(sum(counted) / took_s, len(requests) / took_s, first_s[len(first_s) // 2], first_s[last], each_s)


def clicks(count: int, every: int) -> list[Request]:
    """Where to click, each `every`-th about a picture of its own, the others about a page told in words."""
    sampling = SamplingConfig(max_new_tokens=24)
    return [
        (
            [Message("user", (screen(number), f"click item {number}") if number % every == 0 else (told(number),))],
            sampling,
        )
        for number in range(count)
    ]


def screen(number: int) -> Picture:
    """A page of flat boxes."""
    rng = np.random.default_rng(number)
    pixels_HW3 = np.full((HEIGHT_PX, WIDTH_PX, 3), 255, np.uint8)
    for _ in range(60):
        x_px, y_px = int(rng.integers(WIDTH_PX - 60)), int(rng.integers(HEIGHT_PX - 20))
        pixels_HW3[y_px : y_px + 16, x_px : x_px + int(rng.integers(10, 60))] = rng.integers(0, 256, 3)
    return Picture(pixels_HW3)


def told(number: int) -> str:
    return f"item {number} at 0.{number:03d} " * 12


def texts(count: int) -> list[Request]:
    sampling = SamplingConfig(max_new_tokens=64, stop_ids=frozenset())
    return [([Message("user", (f"{number} " + told(number) * 2,))], sampling) for number in range(count)]


def small(folder: Path) -> Engine:
    write_random_checkpoint(replace(preset("small"), vision=TOWER), folder)
    return load(folder)


if __name__ == "__main__":
    main()
