"""How many samples a second an evaluation asks: inline, two processes, two Ray actors, over one drawn suite.

    .venv/bin/python tests/bench/bench_eval.py [--samples 60] [--workers 2] [--rounds 3] [--only inline,processes,ray]

`rows_s` counts from the first row to the last, without loading the model; `whole_s` is all of a run, from the hash of
the weights to the scores. The predictions of all runs must be the same bytes. The last line of stdout is a JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from moonhand.tasks.evals.engine_source import EngineSource
from moonhand.tasks.evals.executors.answered import Executor, Limits
from moonhand.tasks.evals.executors.inline import InlineExecutor
from moonhand.tasks.evals.executors.pool import PoolExecutor
from moonhand.tasks.evals.executors.processes import ProcessForce
from moonhand.tasks.evals.executors.ray import RayForce
from moonhand.tasks.evals.generate import generate_suite
from moonhand.tasks.evals.manifest import manifest_of
from moonhand.tasks.evals.prediction import Prediction
from moonhand.tasks.evals.run_folder import PREDICTIONS, TIMINGS, RunFolder
from moonhand.tasks.evals.runner import checker, run_suite
from moonhand.tasks.evals.sample import GroundingSample, Suite
from moonhand.tasks.evals.suites.open import open_suite


class Clock:
    """A `Watch` that notes when rows come."""

    def __init__(self) -> None:
        self.at_s: list[float] = []

    def begin(self, done: int, total: int) -> None:
        pass

    def row(self, sample: GroundingSample, prediction: Prediction, *, fresh: bool) -> None:
        self.at_s.append(time.perf_counter())


def measure(suite: Suite, executor: str, workers: int, out: Path) -> tuple[dict[str, float], bytes]:
    began_s, source, clock = time.perf_counter(), EngineSource(), Clock()
    manifest = manifest_of(suite, source)
    check = checker(manifest)
    chosen: Executor = InlineExecutor(source, Limits(), check)
    if executor == "processes":
        chosen = PoolExecutor(lambda: ProcessForce(source, workers), Limits(), check)
    elif executor == "ray":
        chosen = PoolExecutor(lambda: RayForce(source, workers, address=None, on_gpu=False), Limits(), check)
    with RunFolder(out, manifest) as folder:
        run_suite(suite, source, chosen, folder, manifest, stop=lambda: False, watch=clock)
    whole_s = time.perf_counter() - began_s
    timings = [json.loads(line) for line in (out / TIMINGS).read_text().splitlines()]
    told = {
        "rows_s": (len(clock.at_s) - 1) / (clock.at_s[-1] - clock.at_s[0]),
        "first_row_s": clock.at_s[0] - began_s,
        "whole_s": whole_s,
        "model_s": statistics.median(one["model_s"] for one in timings),
        "wait_s": statistics.median(one["wait_s"] for one in timings),
    }
    return told, (out / PREDICTIONS).read_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="inline,processes,ray")
    asked = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in asked.only.split(",")}
    contents = set[bytes]()
    with tempfile.TemporaryDirectory() as root:
        data = Path(root) / "suite"
        generate_suite(data, asked.samples, 0)
        suite = open_suite("generated", data)
        for turn in range(asked.rounds):
            for name, rows in found.items():
                told, content = measure(suite, name, asked.workers, Path(root) / f"{name}-{turn}")
                contents.add(content)
                rows.append(told)
                print(f"{name:10} " + "  ".join(f"{key} {value:.3f}" for key, value in told.items()), file=sys.stderr)
    table = {
        name: {key: round(statistics.median(row[key] for row in rows), 4) for key in rows[0]}
        | {
            "spread_rows_s": [
                round(min(row["rows_s"] for row in rows), 4),
                round(max(row["rows_s"] for row in rows), 4),
            ]
        }
        for name, rows in found.items()
    }
    told = {"samples": asked.samples, "workers": asked.workers, "rounds": asked.rounds, "cpus": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1), "same_bytes": len(contents) == 1, "executors": table}  # fmt: skip
    print(json.dumps(told))
    return 0 if len(contents) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
