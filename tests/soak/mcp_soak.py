"""Hundreds of calls to one `moonhand mcp` over stdio: does anything grow?

    .venv/bin/python tests/soak/mcp_soak.py [--calls 200] [--warm-up 100] [--seed 0]

Measured are the server's own memory, threads and file descriptors, and the memory and processes of all under it. Leaves
with 1 where something grew, a call went otherwise than it should, or something stayed behind; the last line of standard
output is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from moonhand.tasks.demo import DEMO_FOLDER, DEMO_PAGE, serve_folder
from watching import MIB, Growth, Sample, adopt_orphans, judge, sample, wait_until_alone

EVERY = 10  # calls from sample to sample
# What nano's engine keeps of the last screens, and what malloc keeps of it, rises and falls by 30 MiB, Chromium's heaps
# by more than 100; a frame kept of each of 200 calls would be 130.
LIMITS = {
    "own_mib": 40.0, "tree_mib": 120.0, "processes": 1.5, "threads": 1.5, "tree_threads": 12.0, "descriptors": 3.0,
    "temp_files": 6.0,
}  # fmt: skip

Given = dict[str, Any]


def calls() -> list[tuple[int, str, Callable[[random.Random], Given], bool]]:
    """Weight, tool, what it is given, and whether that is an error."""
    return [
        (4, "screenshot", lambda dice: {"max_px": dice.choice((100, 300, None))}, False),
        (3, "locate", lambda dice: {"what": dice.choice(("Email", "Create account", "I agree to the terms"))}, False),
        (4, "act", lambda dice: {"action": "click", "x_px": dice.randrange(60, 380), "y_px": 60}, False),
        (3, "act", lambda dice: {"action": "type", "target": "Email", "text": "ada@example.com", "clear": True}, False),
        (2, "act", lambda dice: {"action": "scroll", "down": dice.choice((-2, 2)), "screenshot": True}, False),
        (2, "act", lambda dice: {"action": "reload"}, False),
        (2, "run", lambda dice: {"steps": ['type "Ada" into Full name', "press tab"]}, False),
        (1, "act", lambda dice: {"action": "click", "x_px": 9000, "y_px": 1}, True),
        (1, "act", lambda dice: {"action": "click"}, True),
        (1, "run", lambda dice: {"goal": "make me rich"}, True),
        (1, "replay", lambda dice: {"folder": "../elsewhere"}, True),
    ]


async def soak(num_calls: int, warm_up: int, seed: int, folder: Path) -> tuple[list[Sample], list[str], Counter[str]]:
    dice, samples, wrong, done = random.Random(seed), list[Sample](), list[str](), Counter[str]()
    temp = folder / "temp"
    temp.mkdir()
    weights, kinds = [one[0] for one in calls()], calls()
    with serve_folder(DEMO_FOLDER) as address:
        arguments = ["-m", "moonhand.tasks.mcp", "--url", address + DEMO_PAGE, "--runs", str(folder / "runs")]
        environ = {**os.environ, "TMPDIR": str(temp)}
        server = StdioServerParameters(command=sys.executable, args=arguments, env=environ)
        async with Client(server) as client:
            process_id = int(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()[0])
            for number in range(1, warm_up + num_calls + 1):
                _, tool, given, is_wrong = dice.choices(kinds, weights)[0]
                arguments_given = given(dice)
                result = await client.call_tool(tool, arguments_given)
                done[tool] += 1
                if result.is_error is not is_wrong:
                    wrong.append(f"call {number}: {tool} {arguments_given}: {result.content[0]}")
                if number > warm_up and number % EVERY == 0:
                    samples.append(server_sample(process_id, number, temp))
                    print(samples[-1], file=sys.stderr)
    return samples, wrong, done


def server_sample(process_id: int, num_calls: int, temp: Path) -> Sample:
    """Of the server in place of this process."""
    rollup = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
    return replace(
        sample(num_calls, temp),
        own_mib=next(int(line.split()[1]) / MIB for line in rollup if line.startswith("Pss:")),
        threads=len(os.listdir(f"/proc/{process_id}/task")),
        descriptors=len(os.listdir(f"/proc/{process_id}/fd")),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--warm-up", type=int, default=100, help="calls before the first sample")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    adopt_orphans()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        samples, wrong, done = asyncio.run(soak(asked.calls, asked.warm_up, asked.seed, Path(folder)))
        left = wait_until_alone(set())
    grown: list[Growth] = judge(samples, LIMITS)
    for growth in grown:
        leak = "  GREW" if growth.is_leak else ""
        print(
            f"{growth.name:<14}{growth.first:>8.1f} to {growth.last:>8.1f}, limit {growth.limit:g}{leak}",
            file=sys.stderr,
        )
    for line in wrong:
        print(line, file=sys.stderr)
    told = {
        "calls": dict(done),
        "seconds": round(time.monotonic() - started_s, 1),
        "growth": [asdict(growth) for growth in grown],
        "wrong": len(wrong),
        "left": sorted(left.values()),
    }
    print(json.dumps(told))
    return int(bool(wrong or left or any(growth.is_leak for growth in grown)))


if __name__ == "__main__":
    sys.exit(main())
