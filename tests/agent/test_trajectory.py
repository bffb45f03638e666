import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moonhand.agent import (
    Recording,
    RunConfig,
    ScriptedPolicy,
    Step,
    Trajectory,
    TrajectoryError,
    new_run_folder,
    read_trajectory,
    run_to_end,
)
from moonhand.agent.trajectory import step_from_json
from moonhand.agent.trajectory.check import check_trajectory
from moonhand.envs import Click, Effect, Frame, GetClipboard, ReplayEnv, Wait


def picture(number: int) -> Frame:
    """A 64x48 screen that differs from every other number's."""
    pixels_HW3 = np.full((48, 64, 3), 40, dtype=np.uint8)
    pixels_HW3[:, : number % 64 + 1] = (number % 256, 200, 90)
    return Frame(pixels_HW3)


def written(path: Path, num_steps: int) -> Recording:
    with Trajectory(path, goal="look", policy={"kind": "none"}) as trajectory:
        for index in range(num_steps):
            trajectory.append(step_of(trajectory, index))
        trajectory.finish("finished")
    return read_trajectory(path)


def step_of(trajectory: Trajectory, index: int) -> Step:
    return Step(
        index=index,
        turn=index,
        before=trajectory.store(picture(index)),
        after=trajectory.store(picture(index + 1)),
        action=Click(x_px=1.5, y_px=2),
        reply="click(x=0.1, y=0.1) \ud800 \u6d4b",
        confidence=0.75,
        effect=Effect(performed=True, detail="clicked", changed=True, act_s=0.25, settle_s=0.5),
        model_s=1.25,
        started_at_s=1e9,
    )


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    with Trajectory(tmp_path / "run", goal="look", policy={"kind": "none"}, config={"max_steps": 3}) as trajectory:
        steps = tuple(trajectory.append(step_of(trajectory, index)) for index in range(3))
        result = trajectory.finish("finished", answer="42")
    recording = read_trajectory(tmp_path / "run")
    assert recording.steps == steps
    assert recording.problems == ()
    assert recording.goal == "look"
    assert recording.result == result
    assert result.to_json() == {
        "status": "finished",
        "success": None,
        "steps": 3,
        "trajectory": str(tmp_path / "run"),
        "answer": "42",
        "error": None,
    }
    assert recording.run["policy"] == {"kind": "none"}
    assert {"moonhand", "python", "torch", "playwright"} <= set(recording.run["versions"])


def test_a_frame_is_stored_once_and_read_back_to_the_pixel(tmp_path: Path) -> None:
    recording = written(tmp_path / "run", 4)
    assert len(list((tmp_path / "run" / "frames").iterdir())) == 5
    for index, step in enumerate(recording.steps):
        assert np.array_equal(step.before.read().pixels_HW3, picture(index).pixels_HW3)
        assert step.before.path.stem == picture(index).sha256


def test_a_torn_last_line_is_reported_and_dropped(tmp_path: Path) -> None:
    written(tmp_path / "run", 3)
    path = tmp_path / "run" / "steps.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    recording = read_trajectory(tmp_path / "run")
    assert [step.index for step in recording.steps] == [0, 1]
    assert any("torn" in problem for problem in recording.problems)


def test_a_damaged_line_and_a_missing_frame_are_named(tmp_path: Path) -> None:
    recording = written(tmp_path / "run", 3)
    recording.steps[2].before.path.unlink()
    path = tmp_path / "run" / "steps.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"index": 1}\n' + lines[2])
    again = read_trajectory(tmp_path / "run")
    assert [step.index for step in again.steps] == [0, 2]
    assert any("line 2" in problem for problem in again.problems)
    assert any(f"{recording.steps[2].before.sha256}.png is missing" in problem for problem in again.problems)
    with pytest.raises(TrajectoryError, match="cannot be read as a picture"):
        again.steps[1].before.read()


def test_a_picture_that_says_it_is_huge_is_damaged(tmp_path: Path) -> None:
    stored = written(tmp_path / "run", 1).steps[0].before
    huge = bytearray(stored.path.read_bytes())
    huge[16:24] = (60_000).to_bytes(4, "big") * 2  # width and height of a PNG
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    for name in (stored.path.name, stored.path.name.replace(".png", ".crop.png")):
        stored.path.with_name(name).write_bytes(huge)
        damaged = replace(stored, path=stored.path.with_name(name))
        assert damaged.missing == ()
        with pytest.raises(TrajectoryError, match="cannot be read as a picture"):
            damaged.read()


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b"{}", b'{"format": "moonhand-trajectory", "version": 99}']
)
def test_a_folder_without_a_trajectory_is_one_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(TrajectoryError, match=r"run\.json"):
        read_trajectory(tmp_path)


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    written(tmp_path / "run", 1)
    with pytest.raises(TrajectoryError, match="already holds a run"):
        Trajectory(tmp_path / "run", goal="again")
    assert len(read_trajectory(tmp_path / "run").steps) == 1


def test_success_is_unknown_until_somebody_checks(tmp_path: Path) -> None:
    with Trajectory(tmp_path / "run", goal="look") as trajectory:
        assert trajectory.finish("finished").success is None
        assert trajectory.check(True).success is True
    result = read_trajectory(tmp_path / "run").result
    assert result is not None
    assert result.success is True


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), "stopped"), (OSError("gone"), "error")])
def test_left_by_an_exception_the_run_says_so(tmp_path: Path, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), Trajectory(tmp_path / "run", goal="look"):
        raise error
    assert read_trajectory(tmp_path / "run").run["status"] == status


def test_new_run_folders_never_collide(tmp_path: Path) -> None:
    folders: set[Path] = set()
    for _ in range(3):
        folder = new_run_folder(tmp_path)
        folder.mkdir()
        folders.add(folder)
    assert len(folders) == 3


def test_frames_of_other_sizes_live_side_by_side(tmp_path: Path) -> None:
    with Trajectory(tmp_path / "run", goal="look") as trajectory:
        small = trajectory.store(Frame(np.zeros((1, 1, 3), dtype=np.uint8)))
        large = trajectory.store(Frame(np.zeros((1, 2, 3), dtype=np.uint8)))
    assert small.read().size != large.read().size


KILLED = """
    import sys
    from moonhand.agent import RunConfig, ScriptedPolicy, Trajectory, run
    from moonhand.envs import Frame, ReplayEnv, Wait
    import numpy as np

    frames = [Frame(np.full((200, 300, 3), number % 256, dtype=np.uint8)) for number in range(2001)]
    actions = [Wait(seconds_s=0)] * 2000
    trajectory = Trajectory(sys.argv[1], goal="go on")
    env, policy, config = ReplayEnv(frames, actions), ScriptedPolicy(actions), RunConfig(max_steps=2000)
    for step in run(env, policy, "go on", trajectory, config):
        print(step.index, flush=True)
"""


def test_a_killed_run_loses_at_most_the_step_in_flight(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 12:
            pass
        process.send_signal(signal.SIGKILL)
        last_told = max((int(line) for line in process.stdout), default=12)
    recording = read_trajectory(tmp_path / "run")
    assert recording.run["status"] == "running"
    assert recording.result is None
    assert last_told + 1 <= len(recording.steps) <= last_told + 2
    assert [step.index for step in recording.steps] == list(range(len(recording.steps)))
    for step in recording.steps:
        assert step.after is not None
        assert step.after.read().sha256 == step.after.sha256
    assert all("torn" in problem for problem in recording.problems)


FULL_DISK = """
    import resource, signal, sys
    from moonhand.agent import ScriptedPolicy, Trajectory, TrajectoryError, run_to_end, RunConfig
    from moonhand.envs import Frame, ReplayEnv, TypeText
    import numpy as np

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    frames = [Frame(np.zeros((8, 8, 3), dtype=np.uint8))] * 101
    actions = [TypeText(text="x" * 500)] * 100
    trajectory = Trajectory(sys.argv[1], goal="fill the disk")
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        config = RunConfig(max_steps=100, stop_when_stuck=False)
        run_to_end(ReplayEnv(frames, actions), ScriptedPolicy(actions), "", trajectory, config)
    except TrajectoryError as error:
        print(error)
"""


def test_a_disk_that_takes_no_more_is_one_error_and_the_rest_stays_readable(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path / "run")]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    recording = read_trajectory(tmp_path / "run")
    assert told.stderr == ""
    assert f"the {len(recording.steps)} steps written so far stay readable" in told.stdout
    assert f"Performed, but not kept: step {len(recording.steps) + 1}, type 'xxx" in told.stdout
    assert 5 < len(recording.steps) < 40
    assert recording.problems == ()
    assert recording.run["status"] == "error"


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """One of 256 kB; needs root, and is not to be had elsewhere."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "moonhand-test", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip("only root mounts a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_takes_the_result_all_the_same(small_disk: Path) -> None:
    noise = np.random.default_rng(0)
    frames = [Frame(noise.integers(0, 255, (60, 60, 3), dtype=np.uint8)) for _ in range(101)]
    actions = [Wait(seconds_s=0)] * 100
    env, policy, folder = ReplayEnv(frames, actions), ScriptedPolicy(actions), small_disk / "run"
    with pytest.raises(TrajectoryError, match="No space left"):
        run_to_end(env, policy, "", Trajectory(folder, goal=""), RunConfig(max_steps=100))
    recording = read_trajectory(folder)
    assert recording.result is not None
    assert recording.result.status == "error"
    assert "No space left" in str(recording.result.error)
    assert recording.result.steps == len(recording.steps) > 5
    assert check_trajectory(folder).is_sound
    assert sorted(path.name for path in folder.iterdir()) == ["frames", "run.json", "steps.jsonl"]


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrajectoryError, match="cannot be written"):
        Trajectory(tmp_path / "file" / "run", goal="look")


def test_run_json_is_whole_at_every_moment(tmp_path: Path) -> None:
    trajectory = Trajectory(tmp_path / "run", goal="look")
    inode = os.stat(tmp_path / "run" / "run.json").st_ino
    trajectory.finish("finished")
    trajectory.close()
    assert os.stat(tmp_path / "run" / "run.json").st_ino != inode  # replaced, not rewritten in place
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["result"]["status"] == "finished"
    assert time.time() - 60 < run["started_at_s"] <= run["ended_at_s"]


def test_a_line_written_before_effects_told_where_it_changed_still_opens(tmp_path: Path) -> None:
    stored = (
        '{"sha256": "' + "0" * 64 + '", "width_px": 64, "height_px": 48, "scale": 1.0, "captured_at_s": 1.5, '
        '"capture_s": 0.01}'
    )
    line = (
        '{"index": 0, "turn": 0, "started_at_s": 1.5, "instruction": "click Sign up", "reply": "click(x=0.5, y=0.5)", '
        '"thought": null, "action": {"type": "click", "x_px": 32.0, "y_px": 24.0, "button": "left", "count": 1, '
        '"modifiers": []}, "confidence": 0.93, "error": null, "effect": {"performed": true, '
        '"detail": "click (32, 24)", "changed": true, "act_s": 0.01, "settle_s": 0.2}, "model_s": 0.08, "before": '
        + stored
        + ', "after": '
        + stored
        + "}"
    )
    step = step_from_json(json.loads(line), tmp_path)
    assert step.action == Click(x_px=32, y_px=24)
    assert step.effect == Effect(performed=True, detail="click (32, 24)", changed=True, act_s=0.01, settle_s=0.2)
    assert step.effect is not None
    assert (step.effect.change, step.effect.answer) == (None, None)
    assert (step.risks, step.decision, step.asked_s, step.before.origin_pt) == (frozenset(), None, 0.0, (0.0, 0.0))


def test_where_it_changed_and_what_was_answered_are_kept(tmp_path: Path) -> None:
    effect = Effect(performed=True, detail="", changed=False, change="no_change", answer="copied")
    with Trajectory(tmp_path / "run", goal="") as trajectory:
        seen = trajectory.store(picture(0))
        trajectory.append(Step(index=0, turn=0, before=seen, after=seen, action=GetClipboard(), effect=effect))
    (step,) = read_trajectory(tmp_path / "run").steps
    assert step.effect == effect


def test_what_was_asked_and_what_kept_the_screen_moving_are_kept(tmp_path: Path) -> None:
    effect = Effect(True, "", True, capture_s=0.125, waited_for=("navigation", "requests"), num_moving=2)
    seen = Frame(picture(0).pixels_HW3, scale=2.0, capture_s=0.25, origin_pt=(-1920.0, 40.5))
    with Trajectory(tmp_path / "run", goal="") as trajectory:
        step = Step(
            index=0,
            turn=0,
            before=trajectory.store(seen),
            after=trajectory.store(seen),
            action=Click(x_px=1, y_px=2),
            effect=effect,
            risks=frozenset(("submit", "leave")),
            decision="instead",
            asked_s=12.5,
        )
        trajectory.append(step)
    (again,) = read_trajectory(tmp_path / "run").steps
    assert again == step
    assert again.before.read().origin_pt == (-1920.0, 40.5)


def test_ctrl_c_at_any_line_of_the_writer_leaves_no_run_without_a_result(tmp_path: Path) -> None:
    """At each line in turn, from the first of its making to the last of its end. In a process of its own: a tracer
    sees every call, and a worker that has run many tests makes some by itself."""
    program = Path(__file__).with_name("interrupted_writer.py")
    done = subprocess.run([sys.executable, program, tmp_path], timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    num_lines = int(done.stdout)
    assert num_lines > 40
    for number in range(num_lines):
        folder = tmp_path / str(number)
        if (folder / "run.json").exists():
            recording = read_trajectory(folder)
            assert recording.result is not None, f"stopped at line {number}"
            assert recording.result.status in ("stopped", "finished")
