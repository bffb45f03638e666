"""Runs killed by SIGKILL at random moments: does every trajectory open, and is at most the step in flight missing?

    .venv/bin/python tests/soak/kills.py [--runs 100] [--seed 0]

Leaves with 1 where one does not. The last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from moonhand.agent import RunConfig, ScriptedPolicy, Trajectory, TrajectoryError, read_trajectory, run
from moonhand.agent.trajectory.check import check_trajectory, repair_trajectory
from moonhand.envs import NOTHING_KNOWN, Action, Click, Effect, Frame, Risk, Surroundings

LONGEST_S = 0.6  # between the beginning of a run and its end
EXPECTED = {"torn", "leftover"}  # what a kill may leave behind


class Changing:
    """A screen that looks different after every action: mostly in one place, sometimes everywhere."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._pixels_HW3 = self._random.integers(0, 255, (300, 400, 3), dtype=np.uint8)
        self._num_done = 0

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(("click",))

    def observe(self) -> Frame:
        return Frame(self._pixels_HW3.copy())

    def perform(self, action: Action) -> Effect:
        self._num_done += 1
        part_HW3 = self._pixels_HW3 if self._num_done % 5 == 0 else self._pixels_HW3[100:140, 100:200]
        part_HW3[:] = self._random.integers(0, 255, part_HW3.shape, dtype=np.uint8)
        return Effect(performed=True, detail="", changed=True)

    def risks(self, action: Action) -> frozenset[Risk]:
        return frozenset()

    def surroundings(self, action: Action) -> Surroundings:
        return NOTHING_KNOWN

    def close(self) -> None:
        pass


def work(folder: Path, seed: int, pipe: int) -> None:
    """Act for ever, telling the number of steps after each; before the first, that it begins."""
    os.write(pipe, struct.pack("i", 0))
    actions = [Click(x_px=150, y_px=120)] * 100_000
    config = RunConfig(max_steps=len(actions), stop_when_stuck=False)
    trajectory = Trajectory(folder, goal="go on")
    for step in run(Changing(seed), ScriptedPolicy(actions), "go on", trajectory, config):
        os.write(pipe, struct.pack("i", step.index + 1))


def killed(folder: Path, seed: int, after_s: float) -> int:
    """Let a child work and kill it; how many steps it had told of."""
    from_child, to_parent = os.pipe()
    child = os.fork()
    if not child:
        try:
            work(folder, seed, to_parent)
        finally:
            os._exit(1)
    os.close(to_parent)
    told = os.read(from_child, 4)  # it begins
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while more := os.read(from_child, 1 << 16):
        told += more
    os.close(from_child)
    if not os.WIFSIGNALED(status):
        raise RuntimeError("the run ended by itself: see what it printed")
    return struct.unpack("i", told[-4:])[0]


def judge(folder: Path, num_told: int) -> tuple[str, list[str]]:
    """How it was left, and what is wrong with that."""
    try:
        recording = read_trajectory(folder)
    except TrajectoryError as error:
        is_early = num_told == 0 and not (folder / "run.json").exists()
        return "before run.json", [] if is_early else [str(error)]
    wrong: list[str] = []
    num_read = len(recording.steps)
    if not num_told <= num_read <= num_told + 1:
        wrong.append(f"{num_told} steps were made, {num_read} are read")
    if [step.index for step in recording.steps] != list(range(num_read)):
        wrong.append("the steps are not in order")
    found = check_trajectory(folder)
    wrong += [f"{one.where}: {one.said}" for one in found.problems if one.kind not in EXPECTED]
    mended = repair_trajectory(folder)
    if mended.problems or mended.num_steps != num_read:
        wrong.append(f"after the repair: {mended.to_json()}")
    kinds = {one.kind for one in found.problems}
    return " and ".join(sorted(kinds)) or "whole", wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    moments = random.Random(asked.seed)
    states, bad, num_steps = Counter[str](), 0, 0
    with tempfile.TemporaryDirectory() as root:
        for number in range(asked.runs):
            folder, after_s = Path(root) / f"run-{number}", moments.uniform(0, LONGEST_S)
            num_told = killed(folder, number, after_s)
            state, wrong = judge(folder, num_told)
            states[state] += 1
            num_steps += num_told
            bad += bool(wrong)
            for one in wrong:
                print(f"run {number}, killed after {after_s * 1000:.0f} ms: {one}", file=sys.stderr)
    print(json.dumps({"runs": asked.runs, "bad": bad, "steps": num_steps, "left": dict(states.most_common())}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
