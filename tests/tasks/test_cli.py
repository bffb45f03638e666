"""The command line: what it prints where, and how it leaves."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moonhand.agent import read_trajectory
from moonhand.model.seeds import LARGEST_SEED
from moonhand.tasks.cli import app
from moonhand.tasks.console import stopping_on_signals
from PIL import Image
from typer.testing import CliRunner

GOLDEN = Path(__file__).parent.parent / "golden"
PATIENCE_S = 300  # for a busy machine; seconds pass on a quiet one
BUTTON = "<body style='margin:0'><button style='width:100vw;height:100vh' onclick='window.n = (window.n || 0) + 1'>Go"


@dataclass(frozen=True)
class Left:
    """How a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object and nothing else."""
        return json.loads(self.out)


def moonhand(*arguments: str | Path, **environ: str | None) -> Left:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env=environ, catch_exceptions=False)
    return Left(result.exit_code, result.stdout, result.stderr)


def unconstrained(folder: Path) -> Path:
    """A profile in which a model may answer what it likes."""
    (folder / "free.toml").write_text('base = "nano"\nconstrained = false\n')
    return folder / "free.toml"


@pytest.fixture
def page(tmp_path: Path) -> str:
    """The URL of a page that is one button."""
    (tmp_path / "page.html").write_text(BUTTON)
    return (tmp_path / "page.html").as_uri()


def test_both_ways_to_start_it_are_the_same_command() -> None:
    script = [str(Path(sys.executable).with_name("moonhand")), "--version"]
    module = [sys.executable, "-m", "moonhand.tasks", "--version"]
    for command in (script, module):
        printed = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout
        assert printed.strip() == version("moonhand")


def test_help_starts_without_torch_and_browser() -> None:
    code = (
        "import sys; from moonhand.tasks.cli import app; app(['run', '--help'], standalone_mode=False); "
        "print({'torch', 'playwright', 'mss'} & set(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    ).stdout
    assert printed.rstrip().endswith("set()")


@pytest.mark.parametrize("wait_s", [0.1, 0.4])
def test_ctrl_c_while_it_starts_is_one_line(wait_s: float) -> None:
    command = [sys.executable, "-m", "moonhand.tasks", "run", "press End", "--url", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        environ = Path(f"/proc/{program.pid}/maps")
        deadline_s = time.monotonic() + PATIENCE_S
        while "pydantic_core" not in environ.read_text() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        time.sleep(wait_s)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=PATIENCE_S)
    assert (program.returncode, err.split()[-1]) == (130, "stopped")
    assert "Traceback" not in err


def test_ctrl_c_while_a_server_is_waited_for_is_json_for_programs(tmp_path: Path) -> None:
    picture = tmp_path / "screen.png"
    Image.new("RGB", (80, 60)).save(picture)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        model = f"openai:http://127.0.0.1:{silent.getsockname()[1]}#nano"
        command = [sys.executable, "-m", "moonhand.tasks", "ground", str(picture), "x", "--model", model, "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            silent.settimeout(PATIENCE_S)
            with silent.accept()[0]:
                program.send_signal(signal.SIGINT)
                out, err = program.communicate(timeout=PATIENCE_S)
    assert (program.returncode, json.loads(out), err.split()[-1]) == (130, {"error": "stopped"}, "stopped")


@pytest.mark.parametrize("arguments", [("run",), ("fly",), ("shot", "a.png", "--monitor", "-1"), ("model",)])
def test_wrong_usage_leaves_with_2(arguments: tuple[str, ...]) -> None:
    assert moonhand(*arguments).code == 2


@pytest.mark.parametrize(
    "command",
    [
        "ask what",
        "train runs --out new",
        "model random new",
        "traj rerun run --step 1",
        "eval run generated --data new",
        "eval sweep generated --data new --grid zoom=off --out new",
        "eval generate new",
        "eval episodes",
    ],
)
@pytest.mark.parametrize("seed", [LARGEST_SEED + 1, -(10**30)])
def test_a_seed_that_nothing_can_draw_by_is_refused_by_name(command: str, seed: int) -> None:
    left = moonhand(*command.split(), f"--seed={seed}")
    assert left.code == 2
    assert "'--seed'" in left.err


def test_without_arguments_it_says_what_to_try() -> None:
    left = moonhand()
    assert left.code == 0
    assert " demo\n" in left.out


@pytest.mark.browser
def test_shot_writes_the_page_in_native_pixels(page: str, tmp_path: Path) -> None:
    out = tmp_path / "shot.png"
    left = moonhand("shot", "--url", page, "--viewport", "300x200", "--scale", "2", out, "--json")
    assert left.code == 0
    assert left.answer == {"path": str(out), "width_px": 600, "height_px": 400}
    with Image.open(out) as picture:
        assert picture.size == (600, 400)


@pytest.mark.slow
@pytest.mark.browser
def test_shot_of_an_unreachable_page_leaves_with_3_and_one_error(tmp_path: Path) -> None:
    left = moonhand("shot", "--url", "http://127.0.0.1:9/", tmp_path / "shot.png")
    assert left.code == 3
    assert left.err.startswith("error: http://127.0.0.1:9/ cannot be opened")
    assert left.err.count("\n") == 1
    assert not (tmp_path / "shot.png").exists()


def test_shot_without_a_display_leaves_with_3(tmp_path: Path) -> None:
    left = moonhand("shot", tmp_path / "shot.png", DISPLAY=None)
    assert left.code == 3
    assert "DISPLAY" in left.err


def test_shot_with_a_chromium_that_is_not_there_leaves_with_3(tmp_path: Path) -> None:
    left = moonhand("shot", "--url", "about:blank", tmp_path / "shot.png", MOONHAND_CHROMIUM="/nowhere/chromium")
    assert left.code == 3
    assert "/nowhere/chromium" in left.err


@pytest.mark.parametrize("name", ["shot.jpg", "no/such/folder/shot.png"])
def test_a_picture_that_cannot_be_written_is_refused_before_any_work(name: str, tmp_path: Path) -> None:
    assert moonhand("shot", tmp_path / name).code == 2


def test_ground_prints_the_point_for_programs_and_draws_it(middle_checkpoint: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "screen.png")
    overlay = tmp_path / "overlay.png"
    left = moonhand(
        "ground", tmp_path / "screen.png", "click Go", "--model", middle_checkpoint, "--json", "--overlay", overlay
    )
    assert left.code == 0
    assert left.answer == {
        "x_px": 32.0,
        "y_px": 24.0,
        "width_px": 64,
        "height_px": 48,
        "confidence": pytest.approx(1, abs=0.01),
        "refused": False,
        "raw": "click(x=0.500, y=0.500)",
        "model": "middle",
        "box": None,
        "expected": None,
        "entropy_bits": None,
    }
    with Image.open(overlay) as drawn:
        assert np.asarray(drawn).any()


def test_ground_zooms_into_what_is_drawn_and_tells_where_it_looked(middle_checkpoint: Path, tmp_path: Path) -> None:
    screen = Image.new("RGB", (400, 300))
    screen.paste("white", (300, 200, 320, 210))
    screen.save(tmp_path / "screen.png")
    overlay = tmp_path / "overlay.png"
    asked = ("ground", tmp_path / "screen.png", "click Go", "--model", middle_checkpoint, "--json")
    left = moonhand(*asked, "--zoom", "--zoom-below", "1", "--crops", "1", "--overlay", overlay)
    assert left.code == 0
    looks = left.answer["zoom"]
    assert looks[0]["why"] == "survey"
    assert all((look["width_px"], look["height_px"]) == (56, 56) for look in looks)  # the model shrinks what is larger
    chosen = {(look["x_px"], look["y_px"]) for look in looks}
    assert (left.answer["x_px"], left.answer["y_px"]) in chosen
    assert 272 <= left.answer["x_px"] <= 348
    with Image.open(overlay) as drawn:
        assert drawn.size == (400, 300)
    assert "zoom" not in moonhand(*asked, "--zoom").answer  # sure enough
    refused = moonhand(*asked, "--zoom", "--refuse-below", "1")
    assert (refused.code, refused.answer["refused"], refused.answer["x_px"]) == (5, True, None)
    assert moonhand(*asked, "--crops", "2").code == 2


def test_ground_leaves_with_5_where_the_model_refuses(refusing_checkpoint: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "screen.png")
    left = moonhand("ground", tmp_path / "screen.png", "click Go", "--model", refusing_checkpoint, "--json")
    assert left.code == 5
    assert left.answer["refused"] is True
    assert left.answer["x_px"] is None


def test_ground_leaves_with_1_where_the_reply_is_no_point(babbling_checkpoint: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "screen.png")
    free = unconstrained(tmp_path)
    left = moonhand("ground", tmp_path / "screen.png", "click Go", "--model", babbling_checkpoint, "--profile", free)
    assert left.code == 1
    assert "hello there" in left.err


def test_ground_leaves_with_4_where_the_model_is_none(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "screen.png")
    left = moonhand("ground", tmp_path / "screen.png", "click Go", MOONHAND_MODEL=str(tmp_path))
    assert left.code == 4
    assert left.err.startswith("error: ")


@pytest.mark.parametrize("flags", [("--dtype", "int3"), ("--quantize", "int2")])
def test_ground_leaves_with_2_where_a_number_format_is_none(flags: tuple[str, str], tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "screen.png")
    left = moonhand("ground", tmp_path / "screen.png", "click Go", *flags)
    assert left.code == 2
    assert left.err.startswith(f"error: {flags[0]} '{flags[1]}' is not one of ")


def test_ground_takes_pictures_of_every_mode(middle_checkpoint: Path, tmp_path: Path) -> None:
    colours = Image.fromarray(np.arange(64 * 48 * 3, dtype=np.uint32).astype(np.uint8).reshape(48, 64, 3))
    deep = Image.fromarray(np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 21)
    frames = [colours, colours.rotate(180)]
    pictures = {"palette.png": colours.quantize(16), "alpha.png": colours.convert("RGBA"), "deep.png": deep}
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    for name in (*pictures, "moving.gif", "dot.png"):
        left = moonhand("ground", tmp_path / name, "click Go", "--model", middle_checkpoint, "--json")
        assert left.code == 0, name
        assert 0 <= left.answer["x_px"] < left.answer["width_px"]


def test_pictures_that_cannot_be_read_get_one_error_each(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not a picture")
    for name in ("torn.png", "empty.png", "text.png", "absent.png", "."):
        left = moonhand("ground", tmp_path / name, "click Go")
        assert left.code == 2, name
        assert left.err.startswith("error: "), name
        assert str(tmp_path) in left.err


def test_model_inspect_counts_the_published_model_from_its_config_alone() -> None:
    left = moonhand("model", "inspect", GOLDEN / "kimi_vl_instruct", "--json")
    assert left.code == 0
    told = {
        "parameters": 16_407_656_048,
        "tensors": 5_652,
        "vision_parameters": 416_866_032,
        "projector_parameters": 30_679_808,
        "experts": 64,
        "experts_active": 6,
        "layers": 27,
    }
    assert left.answer | told == left.answer
    assert {"parameters_active", "bytes"} <= left.answer.keys()


def test_model_inspect_of_another_folder_leaves_with_4(tmp_path: Path) -> None:
    assert moonhand("model", "inspect", tmp_path).code == 4


@pytest.mark.browser
def test_run_prints_its_result_for_programs_and_keeps_a_trajectory(
    page: str, middle_checkpoint: Path, tmp_path: Path
) -> None:
    folder, picture = tmp_path / "run", tmp_path / "run.png"
    flags = ("--viewport", "300x200", "--model", middle_checkpoint, "--out", folder, "--picture", picture, "--json")
    left = moonhand("run", "click Go; press ctrl+a", "--url", page, *flags)
    assert left.code == 0
    assert left.answer == {
        "status": "finished",
        "success": None,
        "steps": 3,
        "trajectory": str(folder),
        "answer": "",
        "error": None,
        "checks": [],
    }
    first = read_trajectory(folder).steps[0]
    assert first.instruction == "click Go"
    assert (first.before.size.width_px, first.before.size.height_px) == (300, 200)
    with Image.open(picture) as drawn:
        assert drawn.width > 300
    assert moonhand("run", "click Go", "--url", page, *flags).code == 2, "the folder holds a run already"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("expected", "success", "code"), [(3, True, 0), pytest.param(4, False, 1, marks=pytest.mark.slow)]
)
def test_run_of_a_script_asks_the_page_and_leaves_by_its_answer(
    page: str, middle_checkpoint: Path, tmp_path: Path, expected: int, success: bool, code: int
) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(
        f"url: {page}\nviewport: 300x200\nsteps:\n  - click: Go\n  - double_click: Go\n"
        f"check: {{js: window.n, equals: {expected}}}"
    )
    left = moonhand("run", script, "--model", middle_checkpoint, "--out", tmp_path / "run", "--json")
    assert left.code == code
    assert (left.answer["status"], left.answer["success"]) == ("finished", success)
    assert left.answer["checks"][0]["found"] == 3
    result = read_trajectory(tmp_path / "run").result
    assert result is not None
    assert result.success is success


@pytest.mark.browser
def test_run_leaves_with_5_where_the_model_refuses(page: str, refusing_checkpoint: Path, tmp_path: Path) -> None:
    refused = moonhand("run", "click Go", "--url", page, "--model", refusing_checkpoint, "--out", tmp_path / "a")
    assert refused.code == 5


@pytest.mark.browser
@pytest.mark.slow  # always: one that babbles at `ground`, and runs of other ends
def test_run_leaves_with_1_where_the_model_babbles(page: str, babbling_checkpoint: Path, tmp_path: Path) -> None:
    babbling = ("--model", babbling_checkpoint, "--profile", unconstrained(tmp_path))
    babbled = moonhand("run", "click Go", "--url", page, *babbling, "--out", tmp_path / "b")
    assert babbled.code == 1
    assert babbled.err.count("unreadable reply") == 4
    assert "bad_replies" in babbled.err


@pytest.mark.browser
def test_run_on_a_page_that_crashes_leaves_with_3_and_a_readable_trajectory(
    page: str, middle_checkpoint: Path, whole_chromium: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    how = ("--url", page, "--chromium", whole_chromium, "--model", middle_checkpoint, "--out", folder)
    left = moonhand("run", "click Go; go to chrome://crash; wait 1", *how)
    assert left.code == 3
    assert "Traceback" not in left.err
    assert str(folder) in left.err
    recording = read_trajectory(folder)
    assert recording.result is not None
    assert (recording.result.status, len(recording.steps)) == ("error", 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("click Go",),
        ("click Go", "--desktop", "--url", "about:blank"),
        ("click Go", "--url", "about:blank", "--start", "xterm"),
        ("click Go", "--url", "about:blank", "--viewport", "wide"),
        ("click Go", "--virtual", "0x0"),
        ("absent.yaml", "--url", "about:blank"),
        ("click Go", "--url", "about:blank", "--user-data", "/etc/hosts"),
        ("click Go", "--url", "about:blank", "--downloads", "/etc/hosts/below"),
        ("click Go", "--url", "about:blank", "--user-data", "/proc/profile"),
        ("click Go", "--url", "about:blank", "--picture", "/proc/picture.png"),
        ("click Go", "--url", "about:blank", "--storage-state", "absent.json"),
        ("click Go", "--attach", "http://127.0.0.1:9", "--surface", "kiosk"),
        ("click Go", "--url", "about:blank", "--region", "0,0,9x9"),
    ],
)
def test_run_with_arguments_that_do_not_go_together_leaves_with_2(arguments: tuple[str, ...]) -> None:
    left = moonhand("run", *arguments, "--json")
    assert left.code == 2
    assert left.err.startswith("error: ")
    assert f"error: {left.answer['error']}" == left.err.strip()


def test_run_refuses_a_goal_that_is_no_list_of_steps_before_a_browser_starts(middle_checkpoint: Path) -> None:
    left = moonhand("run", "book a flight", "--url", "http://127.0.0.1:9/", "--model", middle_checkpoint)
    assert left.code == 2
    assert "book a flight" in left.err


def test_run_refuses_checks_where_no_page_can_answer_them(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("steps: [{click: Go}]\ncheck: {js: window.n, equals: 1}")
    left = moonhand("run", script, "--desktop")
    assert left.code == 2
    assert "--url" in left.err


@pytest.mark.browser
@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_ctrl_c_and_sigterm_stop_a_run_and_leave_a_readable_trajectory(
    page: str, middle_checkpoint: Path, tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "moonhand.tasks", "run", "press ctrl+a; wait 600", "--url", page]
    command += ["--model", str(middle_checkpoint), "--out", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        deadline_s = time.monotonic() + PATIENCE_S
        while not ((folder / "steps.jsonl").exists() and (folder / "steps.jsonl").stat().st_size):
            assert time.monotonic() < deadline_s
            assert program.poll() is None, program.communicate()
            time.sleep(0.05)
        program.send_signal(signum)
        try:
            out, err = program.communicate(timeout=PATIENCE_S)
        finally:
            program.kill()
    assert program.returncode == code, err
    assert json.loads(out)["status"] == "stopped"
    assert "Traceback" not in err
    recording = read_trajectory(folder)
    assert recording.result is not None
    assert (recording.result.status, len(recording.steps)) == ("stopped", 1)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_terminal_that_is_closed_stops_like_sigterm_and_says_so_once(signum: signal.Signals, code: int) -> None:
    def stop_twice() -> None:
        with stopping_on_signals():
            try:
                signal.raise_signal(signum)
            finally:
                signal.raise_signal(signum)  # its shell says so too
                reached.append(True)
                raise OSError("the terminal is gone")

    reached: list[bool] = []
    former = signal.getsignal(signum)
    with pytest.raises(SystemExit) as left:
        stop_twice()
    assert (left.value.code, reached) == (code, [True])
    assert signal.getsignal(signum) == former


@pytest.mark.display
def test_run_starts_a_program_on_a_display_of_its_own(middle_checkpoint: Path, tmp_path: Path) -> None:
    window = "import tkinter; r = tkinter.Tk(); r.attributes('-fullscreen', True); r.config(bg='blue'); r.mainloop()"
    start = f'{sys.executable} -c "{window}"'
    flags = ("--virtual", "400x300", "--start", start, "--model", middle_checkpoint, "--out", tmp_path / "run")
    left = moonhand("run", "click Go", *flags, "--json")
    assert left.code == 0, left.err
    first = read_trajectory(tmp_path / "run").steps[0]
    assert (first.before.size.width_px, first.before.size.height_px) == (400, 300)
    assert first.before.read().pixels_HW3[150, 200].tolist() == [0, 0, 255]
