"""Runs that are killed, stopped, refused, and workers that hang and die: what is on disk afterwards."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from moonhand.envs import Size
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.executors.answered import Limits, SamplesCrash
from moonhand.tasks.evals.executors.pool import PoolExecutor, Ready
from moonhand.tasks.evals.executors.processes import ProcessForce, ProcessWorker
from moonhand.tasks.evals.manifest import differences, manifest_of
from moonhand.tasks.evals.plan import plan_chunks, still_to_do
from moonhand.tasks.evals.prediction import Failure, Prediction
from moonhand.tasks.evals.run_folder import MANIFEST, PREDICTIONS, RESULT, TIMINGS, RunFolder, read_manifest
from scripted import ScriptedSource, run_scripted, scripted_suite

NUM_SAMPLES = 120


def rows_of(folder: Path) -> dict[str, dict[str, object]]:
    rows = [json.loads(line) for line in (folder / PREDICTIONS).read_text().splitlines()]
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def taken_up(log: Path) -> list[str]:
    return [line.split()[0] for line in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    run_scripted(folder, scripted_suite(NUM_SAMPLES), ScriptedSource())
    return (folder / PREDICTIONS).read_bytes()


@pytest.mark.parametrize(("executor", "kills"), [("inline", 2), ("processes", 1)])
def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(
    executor: str, kills: int, tmp_path: Path, undisturbed: bytes
) -> None:
    folder, log, moments = tmp_path / "run", tmp_path / "run.log", random.Random(executor)
    command = [sys.executable, str(Path(__file__).with_name("scripted.py")), str(folder), executor, str(NUM_SAMPLES)]
    finished: set[str] = set()
    for kill in range(kills):
        asked_before = len(taken_up(log)) if log.exists() else 0
        driver = subprocess.Popen([*command, "0.004"])
        enough = asked_before + moments.randrange(2, NUM_SAMPLES // (kills + 1))
        while not log.exists() or len(taken_up(log)) < enough:
            assert driver.poll() is None, "it ended by itself"
            time.sleep(0.001)
        driver.kill()
        driver.wait()
        assert not finished & set(taken_up(log)[asked_before:]), f"asked again after kill {kill}"
        finished = {json.loads(line)["id"] for line in (folder / PREDICTIONS).read_text().splitlines(keepends=True)
                    if line.endswith("\n")}  # fmt: skip
    workers = {int(line.split()[1]) for line in log.read_text().splitlines()}
    before_last = len(taken_up(log))
    run_scripted(folder, scripted_suite(NUM_SAMPLES), ScriptedSource(log=log))
    assert (folder / PREDICTIONS).read_bytes() == undisturbed
    assert not finished & set(taken_up(log)[before_last:])
    assert json.loads((folder / RESULT).read_text())["n"] == NUM_SAMPLES
    wait_until_gone(workers)


def wait_until_gone(processes: set[int]) -> None:
    end_s = time.monotonic() + 5
    while left := [one for one in processes if one != os.getpid() and Path(f"/proc/{one}").exists()]:
        assert time.monotonic() < end_s, f"{left} outlived their driver"
        time.sleep(0.02)


def test_a_line_cut_off_is_dropped_and_asked_again(tmp_path: Path) -> None:
    suite, log = scripted_suite(20), tmp_path / "log"
    run_scripted(tmp_path / "run", suite, ScriptedSource(), stop_after=8)
    file = tmp_path / "run" / PREDICTIONS
    whole = file.read_bytes()
    for torn in (whole[:-1], whole[:-40], whole + b'{"id": "s1', whole + b"\n"):
        file.write_bytes(torn)
        num_whole = torn[: torn.rfind(b"}\n") + 2].count(b"\n")
        log.write_text("")
        run_scripted(tmp_path / "run", suite, ScriptedSource(log=log))
        assert len(taken_up(log)) == 20 - num_whole
        assert list(rows_of(tmp_path / "run")) == [sample.id for sample in suite.samples]
        (tmp_path / "run" / RESULT).unlink()


def test_a_damaged_line_in_the_middle_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    run_scripted(tmp_path, scripted_suite(6), ScriptedSource())
    file = tmp_path / PREDICTIONS
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([lines[0], lines[1][:9], *lines[2:]]))
    before = file.read_bytes()
    with pytest.raises(BadRequest, match=r"predictions.jsonl:2 is damaged"):
        run_scripted(tmp_path, scripted_suite(6), ScriptedSource())
    assert file.read_bytes() == before


def test_a_folder_of_another_run_is_refused_by_the_keys_that_differ(tmp_path: Path) -> None:
    run_scripted(tmp_path, scripted_suite(6), ScriptedSource())
    before = (tmp_path / PREDICTIONS).read_bytes()
    with pytest.raises(
        BadRequest, match=r"suite.samples is 6 there and 7 here; .*; decoding.seed is 0 there and 3 here"
    ):
        run_scripted(tmp_path, scripted_suite(7), ScriptedSource(seed=3))
    assert (tmp_path / PREDICTIONS).read_bytes() == before
    run_scripted(tmp_path, scripted_suite(7), ScriptedSource(seed=3), fresh=True)
    assert len(rows_of(tmp_path)) == 7


def test_two_runs_never_write_to_one_folder(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {"seed": 0}), pytest.raises(BadRequest, match="another run is writing"):
        RunFolder(tmp_path, {"seed": 0})


def test_a_finished_run_is_not_asked_again(tmp_path: Path) -> None:
    suite, log = scripted_suite(9), tmp_path / "log"
    run_scripted(tmp_path / "run", suite, ScriptedSource())
    before = {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    ended = run_scripted(tmp_path / "run", suite, ScriptedSource(log=log))
    assert ended.num_asked == 0
    assert not log.exists()
    assert {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before


def test_a_full_disk_is_one_error_and_the_run_goes_on_once_there_is_room(tmp_path: Path, undisturbed: bytes) -> None:
    folder = tmp_path / "run"
    command = [
        sys.executable,
        str(Path(__file__).with_name("scripted.py")),
        str(folder),
        "inline",
        str(NUM_SAMPLES),
        "0",
    ]
    told = subprocess.run([*command, "5000"], capture_output=True, text=True)
    assert told.returncode == 1
    assert told.stderr.startswith("CannotWrite:")
    assert told.stderr.count("\n") == 1
    assert "File too large" in told.stderr
    assert "the same command again" in told.stderr
    assert 5 < len(rows_of(folder)) < NUM_SAMPLES
    assert (folder / PREDICTIONS).read_bytes().endswith(b"}\n")
    run_scripted(folder, scripted_suite(NUM_SAMPLES), ScriptedSource())
    assert (folder / PREDICTIONS).read_bytes() == undisturbed


def test_workers_that_hang_and_die_are_replaced_and_every_sample_has_its_row(tmp_path: Path) -> None:
    special = {4: "hang", 11: "crash", 17: "crash once", 20: "raise"}
    suite, log = scripted_suite(24, special), tmp_path / "log"
    limits = Limits(timeout_s=1.0, retries=1)
    ended = run_scripted(tmp_path / "run", suite, ScriptedSource(log=log), executor="processes", limits=limits)
    rows = rows_of(tmp_path / "run")
    assert ended.result is not None
    assert list(rows) == [sample.id for sample in suite.samples]
    failed = {name: (row["failure"], row["error"]) for name, row in rows.items() if row["failure"]}
    assert failed == {
        "s4": ("timed_out", "no answer within 1 s"),
        "s11": ("crashed", "the worker was killed by signal 9"),
        "s20": ("crashed", "ValueError: it is the second Tuesday"),
    }
    timings = [json.loads(line) for line in (tmp_path / "run" / TIMINGS).read_text().splitlines()]
    assert {timing["id"]: timing["attempts"] for timing in timings if timing["attempts"] > 1} == {
        "s4": 2, "s11": 2, "s17": 2, "s20": 2,
    }  # fmt: skip
    names = taken_up(log)
    assert {name: names.count(name) for name in names if names.count(name) > 1} == {
        "s4": 2,
        "s11": 2,
        "s17": 2,
        "s20": 2,
    }
    assert multiprocessing.active_children() == []


def test_inline_gives_what_raises_a_row_and_an_answer_too_late_is_none(tmp_path: Path) -> None:
    run_scripted(tmp_path / "a", scripted_suite(3, {1: "raise"}), ScriptedSource())
    assert rows_of(tmp_path / "a")["s1"]["error"] == "ValueError: it is the second Tuesday"
    limits = Limits(timeout_s=0.01, retries=0)
    run_scripted(tmp_path / "b", scripted_suite(2), ScriptedSource(sleep_s=0.03), limits=limits)
    assert {row["failure"] for row in rows_of(tmp_path / "b").values()} == {"timed_out"}


def test_a_worker_that_turns_sick_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    run_scripted(tmp_path, scripted_suite(20), ScriptedSource(sick_after=3), executor="processes")
    assert {row["failure"] for row in rows_of(tmp_path).values()} == {None}
    timings = [json.loads(line) for line in (tmp_path / TIMINGS).read_text().splitlines()]
    assert 2 in {timing["attempts"] for timing in timings}


def test_samples_that_crash_in_a_row_end_the_run_with_no_row_and_it_goes_on(tmp_path: Path, undisturbed: bytes) -> None:
    suite = scripted_suite(NUM_SAMPLES)
    with pytest.raises(SamplesCrash, match=r"8 samples in a row failed: RuntimeError: sick\. .* the same command"):
        run_scripted(tmp_path, suite, ScriptedSource(sick_after=20))
    assert len(rows_of(tmp_path)) == 20
    run_scripted(tmp_path, suite, ScriptedSource())
    assert (tmp_path / PREDICTIONS).read_bytes() == undisturbed


def test_rows_that_failed_are_asked_again_where_that_is_wished(tmp_path: Path) -> None:
    suite, whole = scripted_suite(6, {1: "raise", 4: "raise"}), ScriptedSource()
    run_scripted(tmp_path, suite, whole)
    mended, log = scripted_suite(6), tmp_path / "log"
    run_scripted(tmp_path, mended, ScriptedSource(log=log), again=(Failure.TIMED_OUT,))
    assert not log.exists()
    ended = run_scripted(tmp_path, mended, ScriptedSource(log=log), again=(Failure.CRASHED,), stop_after=5)
    assert (ended.num_asked, (tmp_path / RESULT).exists()) == (1, False)
    ended = run_scripted(tmp_path, mended, ScriptedSource(log=log))
    assert sorted(taken_up(log)) == ["s1", "s4"]
    assert {row["failure"] for row in rows_of(tmp_path).values()} == {None}
    assert list(rows_of(tmp_path)) == [sample.id for sample in suite.samples]


def test_the_last_line_of_an_id_counts(tmp_path: Path) -> None:
    run_scripted(tmp_path, scripted_suite(3), ScriptedSource())
    file = tmp_path / PREDICTIONS
    before = file.read_bytes()
    first = before.splitlines(keepends=True)[0]
    file.write_bytes(first.replace(b"<0>", b"<old>") + before)
    run_scripted(tmp_path, scripted_suite(3), ScriptedSource())
    assert file.read_bytes() == before


def test_replies_that_lie_in_the_pipe_while_the_driver_is_held_up_are_no_time_outs() -> None:
    suite, source = scripted_suite(16), ScriptedSource(sleep_s=0.02)
    limits = Limits(timeout_s=0.4, retries=0)
    pool = PoolExecutor(lambda: ProcessForce(source, 2), limits, lambda facts: None)
    chunks, rows = plan_chunks(suite.samples, source.image_tokens, chunk_samples=4), list[Prediction]()
    for answered in pool.answers(chunks, lambda: False):
        rows.append(answered.prediction)
        if len(rows) == 3:
            time.sleep(0.9)
    assert [row.failure for row in rows] == [None] * 16


def test_a_manifest_that_is_no_object_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("[1]")
    with pytest.raises(BadRequest, match=r"is no manifest \(a manifest is a JSON object, not list\).*--fresh"):
        RunFolder(tmp_path, {"seed": 0})
    with pytest.raises(BadRequest, match="holds no run"):
        read_manifest(tmp_path)


def test_other_pixels_are_another_run(tmp_path: Path) -> None:
    picture, source = tmp_path / "a.png", ScriptedSource()
    suite = scripted_suite(1)
    suite = replace(suite, samples=(replace(suite.samples[0], image=picture),))
    picture.write_bytes(b"white")
    before = manifest_of(suite, source)
    picture.write_bytes(b"black")
    (differ,) = differences(before, manifest_of(suite, source))
    assert differ.startswith("suite.pictures_sha256 is ")


def test_a_process_is_killed_where_there_are_no_groups_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = ProcessWorker(ScriptedSource(), 0)
    worker.pipe.recv()
    monkeypatch.delattr(os, "killpg")  # as on Windows
    worker.kill()
    assert not worker.process.is_alive()


def test_a_worker_whose_driver_has_left_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    worker = ProcessWorker(ScriptedSource(sleep_s=0.2), 0)
    worker.pipe.recv()
    worker.give(scripted_suite(2).samples)
    worker.pipe.close()
    worker.process.join(60)
    assert (worker.process.exitcode, capfd.readouterr().err) == (0, "")


def test_a_worker_that_has_just_been_started_is_deaf_to_ctrl_c(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    worker = ProcessWorker(ScriptedSource(), 0)
    assert worker.process.pid is not None
    os.kill(worker.process.pid, signal.SIGINT)  # a terminal sends it to all that have no session of their own yet
    try:
        assert isinstance(worker.listen(), Ready)
        os.kill(worker.process.pid, signal.SIGINT)
        worker.give(scripted_suite(1).samples)
        assert worker.pipe.recv().prediction.raw == "<0>"
    finally:
        worker.kill()
    assert capfd.readouterr().err == ""
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_stopped_run_says_what_is_there_and_goes_on(tmp_path: Path, undisturbed: bytes) -> None:
    suite = scripted_suite(NUM_SAMPLES)
    ended = run_scripted(tmp_path, suite, ScriptedSource(), stop_after=33)
    assert (ended.result, ended.num_done) == (None, 33)
    assert not (tmp_path / RESULT).exists()
    ended = run_scripted(tmp_path, suite, ScriptedSource())
    assert ended.num_asked == NUM_SAMPLES - 33
    assert (tmp_path / PREDICTIONS).read_bytes() == undisturbed


def test_the_plan_puts_large_pictures_first_and_one_picture_together() -> None:
    suite = scripted_suite(30)

    def area(size: Size) -> int:
        return size.width_px * size.height_px

    chunks = plan_chunks(suite.samples, area, chunk_samples=4)
    ordered = [sample for chunk in chunks for sample in chunk]
    assert [area(sample.size) for sample in ordered] == sorted((area(one.size) for one in ordered), reverse=True)
    assert {sample.id for sample in ordered} == {sample.id for sample in suite.samples}
    seen = [(sample.size, sample.image) for sample in ordered]
    assert all(a == b or a not in seen[at + 2 :] for at, (a, b) in enumerate(pairwise(seen)))
    left = still_to_do(chunks, {sample.id for sample in ordered[:5]})
    assert [sample for chunk in left for sample in chunk] == ordered[5:]


def test_ending_a_pool_ends_its_processes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run_scripted(tmp_path / "run", scripted_suite(40), ScriptedSource(log=log, sleep_s=0.01), executor="processes",
                 stop_after=3)  # fmt: skip
    assert multiprocessing.active_children() == []
    workers = {int(line.split()[1]) for line in log.read_text().splitlines()}
    assert workers
    wait_until_gone(workers)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
