"""An evaluation killed by SIGKILL at random moments: is the final file the one of an undisturbed run, byte for byte?

    .venv/bin/python tests/soak/eval_kills.py [--samples 1000] [--kills 20] [--executor inline] [--seed 0]

Screens are drawn first, from the same seed. Leaves with 1 where a byte differs, a finished row was lost or asked again,
or a worker outlived its driver. The last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import typer
from moonhand.tasks.evals.generate import generate_suite
from moonhand.tasks.evals.run_command import run_eval

LONGEST_S = 1.0  # after the row that is waited for, until the kill: in the middle of the next ones, or while loading
GONE_S = 15.0  # until what a killed driver has started is gone


def drive(arguments: list[str]) -> None:
    """`moonhand eval run`, in this process."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(run_eval)
    app(arguments)


def start(data: Path, out: Path, executor: str, log: Path) -> subprocess.Popen[bytes]:
    arguments = ["generated", "--data", str(data), "--out", str(out), "--executor", executor, "--json"]
    if executor != "inline":
        arguments += ["--workers", "2"]
    with log.open("ab") as said:
        return subprocess.Popen([sys.executable, __file__, "--drive", *arguments], stdout=said, stderr=said)


def whole_rows(out: Path) -> dict[str, str]:
    """The finished lines of the predictions, by their ids."""
    file = out / "predictions.jsonl"
    text = file.read_text() if file.exists() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()
    return {json.loads(line)["id"]: line for line in lines}


def children(pid: int) -> set[int]:
    """Of a process and of its children."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.split()
    parents = dict(zip(map(int, listed[::2]), map(int, listed[1::2]), strict=True))
    found, more = {pid}, {pid}
    while more:
        more = {one for one, parent in parents.items() if parent in more}
        found |= more
    return found - {pid}


def killed(
    data: Path, out: Path, executor: str, log: Path, moments: random.Random, rows: int
) -> tuple[bool, list[str]]:
    """Let a run write about `rows` rows and kill it: whether it still ran, and what is wrong with what it left."""
    before, wrong = whole_rows(out), list[str]()
    driver = start(data, out, executor, log)
    while len(whole_rows(out)) < len(before) + rows and driver.poll() is None:
        time.sleep(0.02)
    time.sleep(moments.uniform(0, LONGEST_S))
    started, was_running = children(driver.pid), driver.poll() is None
    if driver.returncode:
        wrong.append(f"it left with {driver.returncode} by itself: {log.read_text()[-500:]}")
    driver.kill()
    driver.wait()
    end_s = time.monotonic() + GONE_S
    while left := {one for one in started if Path(f"/proc/{one}").exists()}:
        if time.monotonic() > end_s:
            wrong.append(f"{len(left)} processes outlived their driver")
            break
        time.sleep(0.05)
    after = whole_rows(out)
    wrong += [f"the row of {one} was lost or written anew" for one, line in before.items() if after.get(one) != line]
    return was_running, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--executor", choices=("inline", "processes", "ray"), default="inline")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    moments, wrong = random.Random(asked.seed), list[str]()
    with tempfile.TemporaryDirectory() as root:
        data, log = Path(root) / "suite", Path(root) / "log"
        generate_suite(data, asked.samples, asked.seed)
        alone, out = Path(root) / "alone", Path(root) / "killed"
        began_s = time.monotonic()
        if start(data, alone, "inline", log).wait():
            print(log.read_text(), file=sys.stderr)
            return 1
        alone_s = time.monotonic() - began_s
        stops, num_running = list[int](), 0
        for number in range(asked.kills):
            room = asked.samples - len(whole_rows(out))
            rows = moments.randint(0, max(0, 2 * room // (asked.kills - number + 1)))
            was_running, problems = killed(data, out, asked.executor, log, moments, rows)
            stops.append(len(whole_rows(out)))
            num_running += was_running
            wrong += [f"kill {number}: {one}" for one in problems]
        before = whole_rows(out)
        if start(data, out, asked.executor, log).wait():
            print(log.read_text(), file=sys.stderr)
            return 1
        same = (out / "predictions.jsonl").read_bytes() == (alone / "predictions.jsonl").read_bytes()
        timed = Counter(json.loads(line)["id"] for line in (out / "timings.jsonl").read_text().splitlines())
        after = whole_rows(out)
        wrong += [f"the row of {one} changed at the end" for one, line in before.items() if after[one] != line]
        asked_once = whole_rows(alone)
        wrong += [f"{one}: {line} and not {asked_once[one]}" for one, line in after.items() if asked_once[one] != line]
    for one in wrong:
        print(one, file=sys.stderr)
    told = {
        "executor": asked.executor,
        "samples": asked.samples,
        "kills": asked.kills,
        "kills_of_running": num_running,
        "rows_at_kills": stops,
        "same_bytes": same,
        "timed_twice": sum(count > 1 for count in timed.values()),  # a kill between the timing and its row
        "wrong": len(wrong),
        "undisturbed_s": round(alone_s, 1),
        "cpus": os.cpu_count(),
    }
    print(json.dumps(told))
    return 0 if same and not wrong else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--drive"]:
        drive(sys.argv[2:])
    else:
        sys.exit(main())
