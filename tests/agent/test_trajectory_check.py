from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from moonhand.agent import Step, Trajectory, TrajectoryError, read_trajectory
from moonhand.agent.trajectory.check import Checked, check_trajectory, repair_trajectory
from moonhand.envs import Click, Effect, Frame

KILLS = Path(__file__).parent.parent / "soak" / "kills.py"
SIDE_PX = 256  # large enough for crops


def screen(number: int) -> Frame:
    """Another small part of it is different for each number, and all of it every ten numbers."""
    pixels_HW3 = np.random.default_rng(number // 10).integers(0, 255, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    pixels_HW3[20:40, 30 : 31 + number] = (number, 200, 90)
    return Frame(pixels_HW3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of eight steps."""
    with Trajectory(tmp_path / "run", goal="look") as trajectory:
        for index in range(8):
            trajectory.append(
                Step(
                    index=index,
                    turn=index,
                    before=trajectory.store(screen(index)),
                    after=trajectory.store(screen(index + 1)),
                    action=Click(x_px=1, y_px=2),
                    effect=Effect(performed=True, detail="", changed=True),
                )
            )
        trajectory.finish("finished")
    return tmp_path / "run"


def kinds(found: Checked) -> list[str]:
    return [problem.kind for problem in found.problems]


def rewrite(folder: Path, change: dict[int, bytes]) -> bytes:
    """Put other lines in place of some; what was there before."""
    path = folder / "steps.jsonl"
    before = path.read_bytes()
    lines = before.splitlines(keepends=True)
    path.write_bytes(b"".join(change.get(number, line) for number, line in enumerate(lines)))
    return before


def test_a_whole_one_is_sound(folder: Path) -> None:
    found = check_trajectory(folder)
    assert (found.is_sound, found.num_steps, found.num_frames, found.problems) == (True, 8, 9, ())
    assert repair_trajectory(folder) == found
    assert not list(folder.glob("*.damaged"))


def test_frames_that_differ_in_a_small_place_are_kept_as_crops_and_read_to_the_pixel(folder: Path) -> None:
    names = [path.name for path in (folder / "frames").iterdir()]
    assert sum(name.endswith(".crop.png") for name in names) == 8
    assert len(names) == 9
    for index, step in enumerate(read_trajectory(folder).steps):
        assert step.before.read().sha256 == screen(index).sha256 == step.before.sha256
    whole, *cropped = sorted((folder / "frames").iterdir(), key=lambda path: -path.stat().st_size)
    assert whole.stat().st_size > 20 * sum(path.stat().st_size for path in cropped)


def test_no_more_than_a_few_crops_stand_on_one_frame(tmp_path: Path) -> None:
    with Trajectory(tmp_path / "run", goal="") as trajectory:
        frames = [screen(0).pixels_HW3.copy() for _ in range(40)]
        for number, pixels_HW3 in enumerate(frames):
            pixels_HW3[number, 0] = (1, 2, number)
        stored = [trajectory.store(Frame(pixels_HW3)) for pixels_HW3 in frames]
    wholes = [one for one in stored if not one.path.name.endswith(".crop.png")]
    assert len(wholes) == 3
    assert [one.read().sha256 for one in stored] == [one.sha256 for one in stored]


def test_a_torn_line_is_dropped_by_the_repair_and_kept_beside(folder: Path) -> None:
    path = folder / "steps.jsonl"
    torn = path.read_bytes()[:-30]
    path.write_bytes(torn)
    assert kinds(check_trajectory(folder)) == ["torn", "steps_lost"]
    mended = repair_trajectory(folder)
    assert kinds(mended) == ["steps_lost"]  # nobody can bring it back
    assert mended.repaired == ("1 line of steps.jsonl dropped; the old one is steps.jsonl.damaged",)
    assert (folder / "steps.jsonl.damaged").read_bytes() == torn
    assert read_trajectory(folder).problems == ("step 8 is missing",)
    assert len(read_trajectory(folder).steps) == 7


def test_a_last_line_that_lacks_only_its_end_is_a_step(folder: Path) -> None:
    path = folder / "steps.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert check_trajectory(folder).is_sound
    assert len(read_trajectory(folder).steps) == 8


@pytest.mark.parametrize("line", [b"\n", b"\0\0\0\n", b"{}\n", b"[1]\n", b'"x"\n', b"{" * 50_000 + b"\n", b"\xff\n"])
def test_a_damaged_line_is_named_and_every_other_step_stays(folder: Path, line: bytes) -> None:
    whole = rewrite(folder, {3: line})
    (problem, lost) = check_trajectory(folder).problems
    assert (problem.kind, problem.where, lost.kind) == ("line", "steps.jsonl line 4", "steps_lost")
    assert [step.index for step in read_trajectory(folder).steps] == [0, 1, 2, 4, 5, 6, 7]
    repair_trajectory(folder)
    kept = whole.splitlines()
    assert (folder / "steps.jsonl").read_bytes().splitlines() == kept[:3] + kept[4:]


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ({1}, ["step 2 is missing"]),
        ({0, 3, 4, 5}, ["step 1 is missing", "steps 4 to 6 are missing"]),
        ({2, 6, 7}, ["step 3 is missing", "steps 7 to 8 are missing"]),
        (set(range(8)), ["steps 1 to 8 are missing"]),
    ],
)
def test_steps_that_a_repair_could_not_bring_back_are_named_whenever_it_is_read(
    folder: Path, lost: set[int], said: list[str]
) -> None:
    rewrite(folder, dict.fromkeys(lost, b"x\n"))
    (problem,) = repair_trajectory(folder).problems
    assert problem.said == f"8 steps were made, {8 - len(lost)} can be read: {', '.join(said)}"
    assert list(read_trajectory(folder).problems) == said


def test_of_a_run_without_a_result_only_the_gaps_are_missing(folder: Path) -> None:
    run = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps(run | {"status": "running", "result": None}))
    assert read_trajectory(folder).problems == ()
    rewrite(folder, {2: b"", 7: b""})
    assert read_trajectory(folder).problems == ("step 3 is missing",)
    (problem,) = check_trajectory(folder).problems
    assert (problem.kind, problem.said) == ("steps_lost", "step 3 is missing")


def test_a_step_that_is_there_twice_or_has_an_absurd_number_is_read(folder: Path) -> None:
    lines = (folder / "steps.jsonl").read_bytes().splitlines(keepends=True)
    rewrite(folder, {3: lines[2]})
    assert read_trajectory(folder).problems == ("step 4 is missing",)
    rewrite(folder, {3: lines[3], 7: lines[7].replace(b'"index": 7', b'"index": 1' + b"0" * 30)})
    assert read_trajectory(folder).problems == (f"steps 8 to {10**30} are missing",)


def test_a_repair_never_writes_over_what_an_earlier_one_kept(folder: Path) -> None:
    rewrite(folder, {3: b"x\n"})
    repair_trajectory(folder)
    rewrite(folder, {1: b"y\n"})
    repair_trajectory(folder)
    assert b"x\n" in (folder / "steps.jsonl.damaged").read_bytes()
    assert b"y\n" in (folder / "steps.jsonl.damaged_2").read_bytes()
    assert len(read_trajectory(folder).steps) == 6


def test_a_missing_frame_and_one_that_others_stand_on_are_named(folder: Path) -> None:
    steps = read_trajectory(folder).steps
    assert steps[0].before.path.name == f"{steps[0].before.sha256}.png"
    steps[3].before.path.unlink()
    (missing,) = check_trajectory(folder).problems
    assert missing.said == f"frames/{steps[3].before.sha256}.png is missing, first needed by step 3"
    steps[0].before.path.unlink()
    found = check_trajectory(folder)
    assert (found.num_steps, found.num_frames, set(kinds(found))) == (8, 0, {"frame_missing"})
    assert found.problems[0].said.endswith("is missing, first needed by step 1; 7 more pictures stand on it")
    assert any(steps[0].before.path.name in problem for problem in read_trajectory(folder).problems)
    with pytest.raises(TrajectoryError, match="cannot be read as a picture"):
        steps[1].before.read()


def test_a_truncated_picture_is_told_once_with_those_that_stand_on_it(folder: Path) -> None:
    whole = read_trajectory(folder).steps[0].before.path
    whole.write_bytes(whole.read_bytes()[:2000])
    found = check_trajectory(folder)
    (problem,) = found.problems
    assert (problem.kind, problem.where, found.num_frames) == ("frame_damaged", f"frames/{whole.name}", 0)
    assert whole.name in problem.said
    assert problem.said.endswith("; first needed by step 1; 8 more pictures stand on it")


def test_pictures_with_other_pixels_or_none_are_damaged(folder: Path) -> None:
    steps = read_trajectory(folder).steps
    steps[2].before.path.write_bytes(screen(5).to_png())
    steps[4].before.path.write_bytes(b"no picture")
    found = check_trajectory(folder)
    assert kinds(found) == ["frame_damaged", "frame_damaged"]
    assert (found.num_frames, found.is_sound) == (7, False)
    assert repair_trajectory(folder).problems == found.problems


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]"])
def test_a_run_without_its_run_json_is_made_readable_again(folder: Path, content: bytes | None) -> None:
    (folder / "run.json").unlink()
    if content is not None:
        (folder / "run.json").write_bytes(content)
    assert kinds(check_trajectory(folder)) == ["run"]
    mended = repair_trajectory(folder)
    assert (mended.is_sound, len(mended.repaired)) == (True, 1)
    assert (folder / "run.json.damaged").exists() == (content is not None)
    assert len(read_trajectory(folder).steps) == 8


def test_what_is_no_trajectory_or_of_a_later_version_or_still_written_is_left_alone(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrajectoryError, match="holds no trajectory"):
        check_trajectory(tmp_path)
    run = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps(run | {"version": 99}))
    with pytest.raises(TrajectoryError, match="version 99"):
        repair_trajectory(folder)
    with Trajectory(tmp_path / "going", goal=""):
        assert check_trajectory(tmp_path / "going").is_sound
        with pytest.raises(TrajectoryError, match="still goes on"):
            repair_trajectory(tmp_path / "going")
    assert repair_trajectory(tmp_path / "going").is_sound


def test_a_draft_of_a_writer_that_is_gone_is_removed(folder: Path) -> None:
    draft = folder / "frames" / ".abc.png.999999999"
    draft.write_bytes(b"half")
    assert kinds(check_trajectory(folder)) == ["leftover"]
    assert check_trajectory(folder).is_sound  # it is in nobody's way
    assert repair_trajectory(folder).problems == ()
    assert not draft.exists()


@pytest.mark.slow
def test_runs_killed_at_random_moments_open_and_lack_at_most_the_step_in_flight() -> None:
    told = subprocess.run(
        [sys.executable, KILLS, "--runs", "5"], capture_output=True, text=True, timeout=120, check=False
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout.splitlines()[-1])["bad"] == 0
