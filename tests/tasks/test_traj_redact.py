"""`moonhand traj redact`: nothing of what is taken out stays in the folder, and a kill leaves no mix of old and new."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moonhand.agent import Recording, Step, Trajectory, read_trajectory
from moonhand.agent.fingerprint import fingerprint
from moonhand.envs import Click, Effect, Element, Frame, Point, PressKeys, Region, Surroundings, TypeText
from moonhand.envs.env import Pixels
from moonhand.tasks.cli import app
from moonhand.tasks.traj.covering import without
from moonhand.tasks.traj.folder_swap import new_in_place_of
from moonhand.tasks.traj.hiding import Hiding, pattern_of
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner, Result

SECRET = "hunter2&Co"
FIELD = Element(tag="input", name="Password", near="Sign in", left_px=30, top_px=60, width_px=160, height_px=30)
SHOWN_AT = (40, 66)
HAS_READER = find_spec("rapidocr") is not None


def moonhand(*arguments: str | Path, line: str = "", **environ: str) -> Result:
    words = ["traj", "redact", *map(str, arguments)]
    return CliRunner().invoke(app, words, input=line, env=environ, catch_exceptions=False)


def screen(number: int, text: str = "") -> Frame:
    """A page of 320x240, with the text in its field."""
    picture = Image.new("RGB", (320, 240), (250, 250, 250 - number))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((30, 60, 190, 90), fill="white", outline="black")
    pen.text(SHOWN_AT, text, fill="black", font=ImageFont.load_default(size=16))
    pen.rectangle((30, 150, 90, 180), fill="navy")
    return Frame(np.asarray(picture))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A password is typed and shown; it stands in the goal, the reply, an address, an error and a drawn picture too."""
    folder = tmp_path / "run"
    frames = [screen(0), screen(1), screen(2, SECRET), screen(3, SECRET)]
    reply = json.dumps({"thought": f'type "{SECRET}"', "escaped": SECRET.replace("&", "\\u0026")})
    first = Click(x_px=100, y_px=75)
    with Trajectory(
        folder, goal=f"log in with {SECRET}", env={"url": "https://a.example/?p=hunter2%26Co"}
    ) as trajectory:
        stored = [trajectory.store(frame) for frame in frames]
        said = Surroundings(url="https://a.example/login?p=hunter2%26Co", element=FIELD)
        done = Effect(performed=True, detail=f"type '{SECRET}'", changed=True)
        steps = [
            Step(index=0, turn=0, before=stored[0], after=stored[1], action=first, reply=reply, surroundings=said),
            Step(index=1, turn=0, before=stored[1], after=stored[2], action=TypeText(text=SECRET), effect=done),
            Step(index=2, turn=1, before=stored[2], after=None, action=None, error=f"no action in {SECRET!r}"),
            Step(index=3, turn=2, before=stored[2], after=stored[3], action=Click(x_px=60, y_px=165)),
            Step(index=4, turn=3, before=stored[3], after=stored[3], action=PressKeys(keys=("enter",))),
        ]
        for step in steps:
            mark = fingerprint(frames[3 if step.index > 2 else 0], Point(60, 75), FIELD) if step.index != 2 else None
            trajectory.append(
                replace(step, fingerprint=mark, surroundings=said if step.index == 1 else step.surroundings)
            )
        trajectory.finish("finished", answer=f"logged in with {SECRET}")
    (folder / "run.png").write_bytes(screen(9, SECRET).to_png())
    (folder / "downloads").mkdir()
    (folder / "downloads" / f"{SECRET}.txt").write_text("a letter")
    healed = {"patches": [{"said": f"{SECRET} has moved", "frame": frames[2].sha256}]}
    (folder / "healed.json").write_text(json.dumps(healed))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pictures(folder: Path) -> list[Pixels]:
    """Every picture in the folder, decoded, crops of frames as they are and as frames."""
    found = [np.asarray(Image.open(path).convert("RGB")) for path in folder.rglob("*.png")]
    steps = read_trajectory(folder).steps
    return found + [stored.read().pixels_HW3 for step in steps for stored in (step.before, step.after) if stored]


def shows(pixels_HW3: Pixels, part_HW3: Pixels) -> bool:
    """Whether a picture has a part in it, anywhere."""
    first, rows = part_HW3[0].tobytes(), len(part_HW3)
    for top, row in enumerate(pixels_HW3[: max(0, len(pixels_HW3) - rows + 1)]):
        at = row.tobytes().find(first)
        while at >= 0:
            left = at // 3
            if np.array_equal(pixels_HW3[top : top + rows, left : left + part_HW3.shape[1]], part_HW3):
                return True
            at = row.tobytes().find(first, at + 1)
    return False


def letters() -> Pixels:
    """One letter of the secret as it is drawn."""
    return screen(0, SECRET).pixels_HW3[66:84, 42:50]


def assert_nothing_stays(folder: Path, old_hashes: set[str]) -> Recording:
    for name, content in files(folder).items():
        for form in (SECRET, "hunter2", "hunter2%26Co", "hunter2\\u0026Co", *old_hashes):
            for encoding in ("utf-8", "utf-16-le"):
                assert form.encode(encoding) not in content, f"{form} in {name}"
            assert form not in name
    part_HW3 = letters()
    assert part_HW3.min() < 60 < part_HW3.max(), "which is a letter"
    assert not any(shows(pixels_HW3, part_HW3) for pixels_HW3 in pictures(folder))
    recording = read_trajectory(folder)
    assert recording.problems == ()
    return recording


def hashes_of_shown(folder: Path) -> set[str]:
    """Of frames and crops that show the secret."""
    steps = read_trajectory(folder).steps
    marks = {step.fingerprint.sha256 for step in steps[3:] if step.fingerprint is not None}
    return {screen(2, SECRET).sha256, screen(3, SECRET).sha256, *marks}


@pytest.mark.parametrize(
    ("named", "style"),
    [
        (("--secret", "PASSWORD"), "--box"),
        (("--value-from-stdin",), "--blur"),
        (("--text", r"hunter2(&|%26)Co"), "--box"),
    ],
)
def test_nothing_of_it_stays_in_any_byte_or_pixel(named: tuple[str, ...], style: str, run: Path) -> None:
    old, num_steps = hashes_of_shown(run), len(read_trajectory(run).steps)
    assert any(shows(pixels_HW3, letters()) for pixels_HW3 in pictures(run))
    left = moonhand(run, *named, style, "--no-ocr", "--json", line=f"{SECRET}\n", MOONHAND_SECRET_PASSWORD=SECRET)
    assert left.exit_code == 0, left.stderr
    told = json.loads(left.stdout)
    assert told["frames"] == 4
    assert len(told["dropped"]) == 2
    recording = assert_nothing_stays(run, old)
    assert len(recording.steps) == num_steps
    typed = {"--secret": "{{secret:PASSWORD}}", "--value-from-stdin": "{{secret:redacted}}", "--text": "[redacted]"}
    assert recording.steps[1].action == TypeText(text=typed[named[0]])
    assert recording.steps[3].action == Click(x_px=60, y_px=165)
    (entry,) = recording.run["redacted"]
    assert (entry["frames"], entry["style"]) == (4, style.removeprefix("--"))
    healed = json.loads((run / "healed.json").read_text())["patches"][0]
    assert healed["frame"] == recording.steps[2].before.sha256
    assert not list(run.parent.glob(".*")), "nothing is left beside it"


def test_a_region_is_covered_in_all_pictures_or_in_those_of_one_step(run: Path) -> None:
    before = read_trajectory(run).steps
    left = moonhand(run, "--region", "30,150,60,30", "--step", "1", "--json")
    assert json.loads(left.stdout)["frames"] == 2
    recording = read_trajectory(run)
    blue = screen(0).pixels_HW3[152:170, 32:80]
    assert not any(shows(stored.read().pixels_HW3, blue) for stored in frames_of(recording, 0))
    assert any(shows(stored.read().pixels_HW3, blue) for stored in frames_of(recording, 3))
    assert recording.steps[3].before.sha256 == before[3].before.sha256
    assert recording.goal == f"log in with {SECRET}"
    assert moonhand(run, "--region", "30,150,60,30").exit_code == 0
    assert not any(shows(pixels_HW3, blue) for pixels_HW3 in pictures(run))
    assert [entry["steps"] for entry in read_trajectory(run).run["redacted"]] == [[1], []]


def frames_of(recording: Recording, index: int) -> list[Any]:
    step = recording.steps[index]
    return [stored for stored in (step.before, step.after) if stored]


def test_a_dry_run_and_a_search_that_finds_nothing_change_nothing(run: Path) -> None:
    before = files(run)
    left = moonhand(run, "--text", "hunter2", "--dry-run", "--no-ocr")
    assert left.exit_code == 0
    assert "would be taken out: 4 places in 4 pictures" in left.stderr
    assert "run.png" in left.stderr
    assert "text in pictures was not read" in left.stderr
    left = moonhand(run, "--text", "swordfish", "--no-ocr")
    assert (left.exit_code, "nothing of it was found" in left.stderr) == (1, True)
    assert files(run) == before


def test_words_of_the_record_itself_stay_and_the_record_reads(run: Path) -> None:
    left = moonhand(run, "--text", "click|enter|e", "--no-ocr", "--json")
    assert left.exit_code == 0
    recording = read_trajectory(run)
    assert [getattr(step.action, "type", None) for step in recording.steps] == ["click", "type", None, "click", "key"]
    assert any("words of the record itself" in note for note in json.loads(left.stdout)["notes"])


def test_what_is_typed_in_pieces_is_told(tmp_path: Path) -> None:
    with Trajectory(tmp_path / "run", goal="type it") as trajectory:
        before = trajectory.store(screen(0))
        for index, letter in enumerate("hunter2"):
            action = PressKeys(keys=(letter,)) if index % 2 else TypeText(text=letter)
            trajectory.append(Step(index=index, turn=0, before=before, after=before, action=action))
        trajectory.finish("finished")
    left = moonhand(tmp_path / "run", "--text", "hunter2", "--no-ocr")
    assert left.exit_code == 1
    assert "put together from several steps" in left.stderr


def test_a_damaged_folder_loses_what_cannot_be_read_and_the_hash_of_a_lost_picture(run: Path) -> None:
    steps = read_trajectory(run).steps
    gone = steps[3].after
    assert gone is not None
    gone.path.write_bytes(gone.path.read_bytes()[:200])
    with (run / "steps.jsonl").open("ab") as file:
        file.write(f'{{"torn": "{SECRET}'.encode())
    left = moonhand(run, "--text", "hunter2(&|%26)Co", "--no-ocr")
    assert left.exit_code == 0
    content = b"".join(files(run).values())
    assert gone.sha256.encode() not in content
    assert b"hunter2" not in content
    assert len(read_trajectory(run).steps) == 5
    assert any("is missing" in problem for problem in read_trajectory(run).problems)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "what is to go?"),
        (("--text", "["), 2, "is no regular expression"),
        (("--text", "a*"), 2, "also finds the empty text"),
        (("--region", "1,2,3"), 2, "is not L,T,W,H in px"),
        (("--region", "1,2,0,9"), 2, "is not L,T,W,H in px"),
        (("--region", "400,10,20,20"), 2, "lies outside of every picture; their size in px: 320x240"),
        (("--region", "4,10,20,20", "--step", "9"), 2, "has no step 9"),
        (("--text", "x", "--step", "1"), 2, "--step goes with --region"),
        (("--secret", "NOPE"), 2, "set MOONHAND_SECRET_NOPE"),
        (("--secret", "NO PE"), 2, "a name is made of"),
        (("--value-from-stdin",), 2, "no line on standard input"),
    ],
)
def test_what_cannot_be_taken_out_is_an_error_of_one_line_and_changes_nothing(
    arguments: tuple[str, ...], code: int, said: str, run: Path
) -> None:
    before = files(run)
    left = moonhand(run, *arguments, "--no-ocr")
    assert (left.exit_code, left.stderr.count("\n")) == (code, 1)
    assert said in left.stderr
    assert files(run) == before


def test_a_kill_at_any_moment_leaves_the_old_folder_or_the_new_one(run: Path) -> None:
    program = """
import hashlib, json, os, shutil, signal, sys, time
from pathlib import Path
from moonhand.tasks.traj.hiding import Hiding, pattern_of
from moonhand.tasks.traj.redact import redact
from moonhand.tasks.traj.rewriting import Order

def digest(folder):
    names = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "run.json"]
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in names)).hexdigest()

def work(folder):
    redact(folder, Order(hiding=Hiding([pattern_of("hunter2(&|%26)Co")])))

source, copy = Path(sys.argv[1]), Path(sys.argv[1]).with_name("copy")
old = digest(source)
shutil.copytree(source, copy)
started_s = time.monotonic()
work(copy)
whole_s, new = time.monotonic() - started_s, digest(copy)
found = []
for number in range(12):
    shutil.rmtree(copy)
    shutil.copytree(source, copy)
    child = os.fork()
    if child == 0:
        work(copy)
        os._exit(0)
    if number < 11:  # the last comes to its end
        time.sleep(whole_s * number / 10)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    is_secret_in = b"hunter2" in (copy / "run.json").read_bytes()
    found.append({old: "old", new: "new"}.get(digest(copy), "mix") if is_secret_in == (digest(copy) == old) else "mix")
work(copy) if found[-1] == "old" else None
left = [path.name for path in copy.parent.glob(".copy*")]
print(json.dumps({"found": found, "left": left}))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(run)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told["found"]) <= {"old", "new"}
    assert told["found"][0] == "old"
    assert "new" in told["found"]


@pytest.mark.parametrize("name", ["run[1]", "a*"])
def test_what_a_kill_left_goes_whatever_the_name(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    gone = subprocess.Popen(["true"])
    gone.wait()
    for ending in ("", "-aside"):
        left_over = tmp_path / f".{name}.redacting-{gone.pid}{ending}"
        left_over.mkdir()
        (left_over / "steps.jsonl").write_text(SECRET)
    (tmp_path / f".{name}.redacting-mine").mkdir()
    with new_in_place_of(folder) as draft:
        (draft / "new").write_text("new")
    assert {path.name for path in tmp_path.iterdir()} == {name, f".{name}.redacting-mine"}
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_an_old_folder_that_cannot_be_deleted_is_told(tmp_path: Path) -> None:
    """Something is mounted in it, which even root cannot delete."""
    folder = tmp_path / "run"
    (folder / "frames").mkdir(parents=True)
    (folder / "steps.jsonl").write_text(SECRET)
    own_mounts = ("unshare", "--map-root-user", "--mount")
    mount = f"mount -t tmpfs none '{folder}/frames'"
    if (
        shutil.which("unshare") is None
        or subprocess.run([*own_mounts, "sh", "-c", mount], capture_output=True).returncode
    ):
        pytest.skip("this system lets nobody mount anything")
    program = (
        "import sys\nfrom pathlib import Path\nfrom moonhand.tasks.traj.folder_swap import new_in_place_of\n"
        "try:\n  with new_in_place_of(Path(sys.argv[1])): pass\nexcept Exception as error: print(repr(error))"
    )
    command = f"{mount} && exec '{sys.executable}' -c \"$0\" '{folder}'"
    done = subprocess.run([*own_mounts, "sh", "-c", command, program], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("TrajectoryError("), done.stderr
    assert "the old one cannot be deleted: it stays as" in done.stdout
    assert list(folder.iterdir()) == []
    (old,) = tmp_path.glob(".run.redacting-*")
    assert [path.name for path in old.iterdir()] == ["frames"]


def test_pictures_in_replays_are_told_of(run: Path) -> None:
    with Trajectory(run.parent / "again", goal="", source="replay", replay_of=str(run)) as trajectory:
        trajectory.finish("finished")
    notes = json.loads(moonhand(run, "--text", "hunter2", "--no-ocr", "--json").stdout)["notes"]
    assert "again beside it is a replay of it with pictures of it, and was not touched" in notes
    assert any("in other places keep its pictures" in note for note in notes)


def test_nobody_is_left_standing_in_a_folder_that_is_gone(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run / "frames")
    left = moonhand("..", "--text", "hunter2", "--no-ocr")
    assert (left.exit_code, "leave it first" in left.stderr) == (2, True)


def test_a_run_that_is_still_written_to_is_left_alone(run: Path) -> None:
    from moonhand.agent import TrajectoryError
    from moonhand.tasks.traj.redact import redact
    from moonhand.tasks.traj.rewriting import Order

    def writes(what: str, done: int, total: int) -> None:
        with (run / "steps.jsonl").open("ab") as file:
            file.write(b"\n")

    with pytest.raises(TrajectoryError, match="still being written to"):
        redact(run, Order(hiding=Hiding([pattern_of("hunter2")])), told=writes)
    assert b"hunter2" in (run / "run.json").read_bytes()


@pytest.mark.parametrize("style", ["box", "blur"])
def test_what_was_under_a_cover_changes_nothing_of_the_new_picture(style: Any) -> None:
    boxes = [Region(30, 60, 80, 30), Region(100, 70, 90, 30)]
    one, other = (without(screen(0, text), boxes, style) for text in ("", SECRET))
    assert one.sha256 == other.sha256


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("my ada@b.example!", "my [redacted]!"),
        ("ada%40b.example", "[redacted]"),
        ("ada&#64;b.example", "[redacted]"),
        ("write('ada\\u0040b.example')", "[redacted]"),
        ("eda@c.example", "eda@c.example"),
    ],
)
def test_a_pattern_is_found_behind_the_escapes_of_others(text: str, said: str) -> None:
    hiding = Hiding([pattern_of("ada@b\\.example")])
    assert hiding.of(text) == said
    assert hiding.of(hiding.of(text)) == said


@pytest.mark.parametrize(("text", "found"), [("Pw: hunter2&Co", True), ("hvnter2 & C0", True), ("hatter", False)])
def test_a_value_that_was_nearly_read_is_found_in_pictures(text: str, found: bool) -> None:
    assert Hiding(values={"PW": SECRET}).looks_in(text) is found


@pytest.mark.slow
@pytest.mark.skipif(not HAS_READER, reason="rapidocr is not installed")
def test_text_in_pictures_is_read_and_covered(run: Path) -> None:
    old = hashes_of_shown(run)
    with (run / "steps.jsonl").open("r+") as file:  # nothing tells where it was typed to
        lines = [json.loads(line) | {"surroundings": None} for line in file]
        file.seek(0)
        file.truncate()
        file.writelines(json.dumps(line) + "\n" for line in lines)
    assert moonhand(run, "--value-from-stdin", line=f"{SECRET}\n").exit_code == 0
    assert_nothing_stays(run, old)
