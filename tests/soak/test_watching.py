from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from watching import Sample, judge, sample, wait_until_alone

FLAT = Sample(
    num_actions=0, own_mib=100, tree_mib=300, processes=8, threads=5, tree_threads=90, descriptors=30, temp_files=12
)
LIMITS = {"own_mib": 10.0, "tree_mib": 60.0, "descriptors": 2.0}


def samples(own_mib: list[float], descriptors: int = 30) -> list[Sample]:
    return [
        replace(FLAT, num_actions=50 * number, own_mib=value, descriptors=descriptors)
        for number, value in enumerate(own_mib)
    ]


def leaks(found: list[Sample]) -> list[str]:
    return [growth.name for growth in judge(found, LIMITS) if growth.is_leak]


def test_what_wavers_or_jumps_once_is_no_leak() -> None:
    assert leaks(samples([100 + 8 * (number % 2) for number in range(30)])) == []
    assert leaks(samples([60, 70, 80, 90, 95, *([100] * 20)])) == []  # warming up
    assert leaks(samples([*([100] * 14), 190, *([100] * 15)])) == []


def test_what_grows_steadily_is_a_leak_under_any_noise() -> None:
    assert leaks(samples([100 + number * 0.6 for number in range(30)])) == ["own_mib"]
    assert leaks(samples([100 + number * 0.8 + 9 * (number % 3) for number in range(30)])) == ["own_mib"]
    assert leaks([replace(each, descriptors=30 + each.num_actions // 200) for each in samples([100.0] * 30)]) == [
        "descriptors"
    ]


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        judge(samples([100.0] * 4), LIMITS)


def test_a_sample_counts_processes_files_and_descriptors(tmp_path: Path) -> None:
    before = sample(0, tmp_path)
    known = set(wait_until_alone(set(), 0))
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child,
        (tmp_path / "left").open("w"),
    ):
        after = sample(1, tmp_path)
        assert set(wait_until_alone(known, 0)) == {child.pid}
        child.communicate(b"\n")
    assert after.processes == before.processes + 1
    assert after.temp_files == 1
    assert after.descriptors >= before.descriptors + 2
    assert after.own_mib > 1
    assert wait_until_alone(known) == {}
