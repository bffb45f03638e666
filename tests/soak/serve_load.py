"""Many clients at once against a real `moonhand serve` with nano: is everybody answered, evenly, and does it leak?

    python tests/soak/serve_load.py [--clients 64] [--seconds 120] [--grow-mib 64]

Every client draws a screen of its own and asks again and again where something is, a third of them as a stream; one in
ten of the replies is left before it is whole. Before that every request is made once, so that what the server keeps is
kept, and afterwards they are made one at a time for a tenth of the seconds.
The last line is one JSON object; the exit code is 1 where anything was answered with another status than 200 or 429,
where a client got no reply, or where the server grew in the second half of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx2
from PIL import Image, ImageDraw

START = "import typer; from moonhand.tasks.serve.command import serve; typer.run(serve)"
LABELS = ("Save", "Cancel", "Sign up", "Search", "Delete")
LEFT_EARLY = 0.1  # of the requests
QUESTIONS = 3  # of each client, about one screen: all are asked once before anything is measured
QUARTERS = 4  # of the time; the server is looked at after each
MIB = 1 << 20


@dataclass
class Totals:
    statuses: Counter[int] = field(default_factory=Counter[int])
    by_client: Counter[int] = field(default_factory=Counter[int])
    took_s: list[float] = field(default_factory=list[float])
    left: int = 0
    tokens: int = 0
    said: dict[str, str] = field(default_factory=dict[str, str])
    failures: list[str] = field(default_factory=list[str])
    differing: int = 0


def request(client: int, number: int) -> dict[str, Any]:
    """The same for the same client and question."""
    rng = random.Random(client)
    image = Image.new("RGB", (rng.randint(220, 420), rng.randint(160, 300)), "white")
    draw = ImageDraw.Draw(image)
    for label in LABELS[:3]:
        left_px, top_px = rng.randint(5, image.width - 95), rng.randint(5, image.height - 35)
        draw.rectangle((left_px, top_px, left_px + 88, top_px + 28), fill=(40, 90, 200))
        draw.text((left_px + 20, top_px + 8), label, fill="white")
    out = io.BytesIO()
    image.save(out, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    parts = [{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": LABELS[number % QUESTIONS]}]
    return {"model": "nano", "messages": [{"role": "user", "content": parts}], "max_tokens": 24}


async def ask(http: httpx2.AsyncClient, url: str, client: int, number: int, totals: Totals, *, leaves: bool) -> None:
    """Once, and write down what came of it."""
    body = request(client, number)
    began_s, text = time.perf_counter(), ""
    is_streamed = number % 3 == 0 or leaves
    async with http.stream("POST", url + "/chat/completions", json=body | {"stream": is_streamed}) as answer:
        if answer.status_code != 200:
            said = (await answer.aread()).decode(errors="replace")
            totals.statuses[answer.status_code] += 1
            if answer.status_code == 429:
                await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
            else:
                totals.failures.append(f"{answer.status_code}: {said[:200]}")
            return
        if is_streamed:
            async for line in answer.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                told = json.loads(line.removeprefix("data: "))
                if "error" in told:
                    totals.failures.append(f"amid a stream: {told}")
                    return
                text += told["choices"][0]["delta"].get("content") or ""
                if leaves:
                    totals.left += 1
                    return
        else:
            told = json.loads(await answer.aread())
            text = told["choices"][0]["message"]["content"]
            totals.tokens += told["usage"]["completion_tokens"]
    totals.statuses[200] += 1
    totals.by_client[client] += 1
    totals.took_s.append(time.perf_counter() - began_s)
    key = f"{client} {number % QUESTIONS}"
    totals.differing += totals.said.setdefault(key, text) != text


async def load(url: str, clients: int, seconds: float, totals: Totals, *, at_least: int = 0) -> float:
    """The seconds it took until the last was answered; each client asks at least so often."""
    began_s = time.perf_counter()
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(timeout=120, limits=limits) as http:

        async def one(client: int) -> None:
            rng, number = random.Random(client), 0
            while number < at_least or time.perf_counter() < began_s + seconds:
                leaves = not at_least and rng.random() < LEFT_EARLY
                try:
                    await ask(http, url, client, number, totals, leaves=leaves)
                except httpx2.TransportError as error:
                    totals.failures.append(f"{type(error).__name__}: {error}")
                number += 1

        await asyncio.gather(*(one(client) for client in range(clients)))
    return time.perf_counter() - began_s


async def one_at_a_time(url: str, seconds: float, clients: int) -> float:
    """Replies a second."""
    totals, began_s, number = Totals(), time.perf_counter(), 0
    async with httpx2.AsyncClient(timeout=120) as http:
        while time.perf_counter() < began_s + seconds:
            await ask(http, url, number % clients, number // clients, totals, leaves=False)
            number += 1
    return sum(totals.by_client.values()) / (time.perf_counter() - began_s)


def rss_mib(pid: int) -> float:
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / MIB


def idle(url: str, within_s: float = 15) -> dict[str, Any]:
    """What the server does when nobody asks any more."""
    end_s = time.monotonic() + within_s
    while True:
        told = httpx2.get(url.removesuffix("/v1") + "/healthz").json()
        if not (told["running"] or told["waiting"]) or time.monotonic() > end_s:
            return told
        time.sleep(0.1)


def share(times_s: list[float], part: float) -> float | None:
    return round(sorted(times_s)[min(len(times_s) - 1, int(part * len(times_s)))], 3) if times_s else None


def main() -> None:
    flags = argparse.ArgumentParser(description="Many clients at once against a real server.")
    flags.add_argument("--clients", type=int, default=64)
    flags.add_argument("--seconds", type=float, default=120)
    flags.add_argument("--grow-mib", type=float, default=64.0, help="how much the server may grow in the second half")
    asked = flags.parse_args()
    words = ["--port", "0", "--json", "--quiet"]
    with subprocess.Popen([sys.executable, "-c", START, *words], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            sizes_mib = [rss_mib(server.pid)]
            totals = Totals()
            asyncio.run(load(url, asked.clients, 0, Totals(), at_least=QUESTIONS))  # what is kept is kept by then
            left = idle(url)
            sizes_mib.append(rss_mib(server.pid))
            took_s = 0.0
            for _ in range(QUARTERS):
                took_s += asyncio.run(load(url, asked.clients, asked.seconds / QUARTERS, totals))
                left = idle(url)
                sizes_mib.append(rss_mib(server.pid))
            alone = asyncio.run(one_at_a_time(url, asked.seconds / 10, asked.clients))
        finally:
            server.terminate()
            server.wait(30)
    done = [totals.by_client[client] for client in range(asked.clients)]
    together = sum(done) / took_s
    failures = totals.failures[:10]
    grown_mib = sizes_mib[-1] - sizes_mib[-1 - QUARTERS // 2]
    failures += [] if grown_mib < asked.grow_mib else [f"grew by {grown_mib:.0f} MiB in the second half"]
    failures += [] if not (left["running"] or left["waiting"]) else [f"still busy when nobody asks: {left}"]
    failures += [] if min(done) else ["a client got no reply at all"]
    print(
        json.dumps(
            {
                "clients": asked.clients,
                "seconds": round(took_s, 1),
                "statuses": dict(totals.statuses),
                "left_early": totals.left,
                "latency_s": {"p50": share(totals.took_s, 0.5), "p99": share(totals.took_s, 0.99)},
                "replies_of_a_client": {"least": min(done), "median": statistics.median(done), "most": max(done)},
                "most_to_least": round(max(done) / max(1, min(done)), 2),
                "replies_that_differ_from_the_first": totals.differing,
                "replies_a_second": {"together": round(together, 2), "one_at_a_time": round(alone, 2)},
                "rss_mib": {
                    "start": round(sizes_mib[0]),
                    "warm": round(sizes_mib[1]),
                    "after_each_quarter": [round(each) for each in sizes_mib[2:]],
                },
                "load_average": os.getloadavg(),
                "failures": failures,
            }
        )
    )
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
