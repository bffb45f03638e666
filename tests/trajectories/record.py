"""Records the trajectories beside this file again, in a real Chromium and on a real X display.

    .venv/bin/python tests/trajectories/record.py [NAME...]

signup   the demo, done by moonhand-nano from its pixels
kinds    one of nearly every kind of action in a page, scripted; two are refused, so that it has steps with an error
window   a program on a desktop, scripted
trace    no trajectory, but a trace of Playwright (trace.zip) to be imported
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Generator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from moonhand.agent import RunConfig, ScriptedPolicy, Trajectory, run_to_end
from moonhand.envs import (
    Action,
    AnswerDialog,
    AskUser,
    Back,
    BrowserConfig,
    BrowserEnv,
    Click,
    CloseTab,
    DesktopConfig,
    DesktopEnv,
    Drag,
    Env,
    Extract,
    Finish,
    Forward,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    OpenApp,
    Point,
    PressKeys,
    Reload,
    Scroll,
    SelectOption,
    SetClipboard,
    Size,
    SwitchTab,
    TypeText,
    Upload,
    VirtualDisplay,
    Wait,
    Zoom,
    find_chromium,
)
from moonhand.tasks.cli import app
from moonhand.tasks.demo import serve_folder
from typer.testing import CliRunner

HERE = Path(__file__).parent
PAGES = HERE / "pages"
PAPER = "moonhand-paper.txt"  # what is uploaded, beside where it is run; whoever plays it again makes it
SCREEN = Size(360, 240)
WINDOW = """
import json, os, tkinter
state = {"typed": "", "clicks": 0, "double": 0, "right": 0, "dragged": 0, "wheel": 0}
root = tkinter.Tk()
root.overrideredirect(True)
root.geometry("360x240+0+0")
field = tkinter.Entry(root, insertontime=0); field.place(x=20, y=20, width=200, height=30)
button = tkinter.Button(root, text="Press"); button.place(x=240, y=20, width=90, height=30)
board = tkinter.Canvas(root, background="#aaccee"); board.place(x=20, y=70, width=200, height=140)
list_ = tkinter.Frame(root, background="#eeccaa"); list_.place(x=240, y=70, width=90, height=140)
def tell(*_):
    state["typed"] = field.get()
    with open(os.environ["STATE"] + ".part", "w") as file: json.dump(state, file)
    os.replace(os.environ["STATE"] + ".part", os.environ["STATE"])
def count(name): state[name] += 1; tell()
button.bind("<Button-1>", lambda event: count("clicks"))
button.bind("<Double-Button-1>", lambda event: count("double"))
button.bind("<Button-3>", lambda event: count("right"))
board.bind("<B1-Motion>", lambda event: (state.update(dragged=1), tell()))
list_.bind("<Button-5>", lambda event: count("wheel"))
field.bind("<KeyRelease>", tell)
root.after(100, lambda: (field.focus_force(), tell())); root.mainloop()
"""
WINDOW_STATE = {"typed": "Ada, 42Bob", "clicks": 3, "double": 1, "right": 1, "dragged": 1, "wheel": 3}


def kinds(url: str) -> list[Action]:
    """Every kind that a page takes; the last states of the page are what its title says."""
    second = url.replace("kinds.html", "second.html")
    button: dict[str, Any] = {"x_px": 60, "y_px": 25}
    name: dict[str, Any] = {"x_px": 180, "y_px": 25}
    return [
        *(Navigate(url=second), Back(), Forward(), Back(), Reload()),
        *(NewTab(url=second), SwitchTab(index=0), CloseTab(index=1)),
        *(Click(**button), Click(**button, count=2), Click(**button, button="right"), Click(**button, count=3)),
        *(Click(**button, modifiers=("ctrl",)), Move(x_px=60, y_px=160)),
        *(Click(**name), TypeText(text="Ada"), TypeText(text="Caf\u00e9 ", clear=True, submit=True)),
        *(TypeText(text="au lait", via="paste"), PressKeys(keys=("ctrl", "a")), PressKeys(keys=("end",))),
        *(PressKeys(keys=("left",), repeat=2), TypeText(text="x")),
        *(KeyDown(key="shift"), PressKeys(keys=("right",)), KeyUp(key="shift"), PressKeys(keys=("backspace",))),
        *(SelectOption(x_px=300, y_px=25, option="Large"), SelectOption(x_px=60, y_px=62, option="70")),
        Upload(x_px=160, y_px=65, paths=(PAPER,)),
        Drag(path=(Point(30, 120), Point(100, 150), Point(150, 200))),
        *(MouseDown(x_px=40, y_px=200), Move(x_px=120, y_px=120), MouseUp(x_px=120, y_px=120)),
        *(Scroll(dy=2, x_px=270, y_px=160), Scroll(dy=40, unit="px", x_px=270, y_px=160)),
        Scroll(dy=0.2, unit="page", x_px=270, y_px=160),
        *(SetClipboard(text="copied"), GetClipboard()),
        *(Click(x_px=60, y_px=250), AnswerDialog(accept=True)),
        *(Click(x_px=160, y_px=245), CloseTab()),
        *(Wait(seconds_s=0.1), Wait(seconds_s=1, until="still")),
        *(Zoom(left_px=0, top_px=0, width_px=180, height_px=150), OpenApp(name="xterm")),
        *(AskUser(question="Is it all done?"), Extract(question="What does it say?")),
        Finish(answer="all kinds"),
    ]


def window() -> list[Action]:
    """What a desktop takes beyond that."""
    button: dict[str, Any] = {"x_px": 285, "y_px": 35}
    return [
        *(
            Click(x_px=120, y_px=35),
            TypeText(text="Bob"),
            PressKeys(keys=("ctrl", "a")),
            PressKeys(keys=("backspace",)),
        ),
        *(TypeText(text="Ada"), TypeText(text=", 42")),
        *(Click(**button), Wait(seconds_s=0.7), Click(**button, count=2), Wait(seconds_s=0.7)),
        *(Click(**button, button="right"), Move(x_px=285, y_px=100), Wait(seconds_s=0.3)),
        *(MouseDown(**button), MouseUp(**button)),
        *(Drag(path=(Point(40, 100), Point(150, 180))), Scroll(dy=3, x_px=285, y_px=140)),
        Finish(),
    ]


@contextmanager
def in_a_folder_with_the_paper() -> Generator[Path]:
    with tempfile.TemporaryDirectory() as name, chdir(name):
        Path(PAPER).write_text("paper\n", encoding="utf-8")
        yield Path(name)


def record_kinds(folder: Path) -> None:
    with in_a_folder_with_the_paper(), serve_folder(PAGES) as address:
        url = f"{address}kinds.html"
        config = BrowserConfig(url=url, viewport=Size(360, 280), dialogs="ask")
        with BrowserEnv(config) as env:
            told: dict[str, Any] = {
                "url": url,
                "desktop": False,
                "dialogs": "ask",
                "viewport": {"width_px": 360, "height_px": 280},
            }
            _record(env, kinds(url), folder, "one of each kind", told)


def record_window(folder: Path) -> None:
    with VirtualDisplay(SCREEN) as display, tempfile.TemporaryDirectory() as temporary:
        state = Path(temporary) / "state.json"
        program = [sys.executable, "-c", WINDOW]
        with subprocess.Popen(program, env=display.environ() | {"STATE": str(state)}) as process:
            try:
                while not state.exists():
                    time.sleep(0.05)
                with DesktopEnv(DesktopConfig(display=display.display)) as env:
                    _record(env, window(), folder, "a window used", {"url": None, "desktop": True})
                found = json.loads(state.read_text(encoding="utf-8"))
                assert found == WINDOW_STATE, found
            finally:
                process.terminate()


def record_trace(folder: Path) -> None:
    """Calls of many kinds, one of which fails."""
    from playwright.sync_api import Error, sync_playwright

    trace = folder.with_suffix(".zip")
    with in_a_folder_with_the_paper() as here, serve_folder(PAGES) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        context = browser.new_context(viewport={"width": 360, "height": 280}, device_scale_factor=2)
        context.tracing.start(screenshots=True, snapshots=True, title="one of each call")
        page = context.new_page()
        page.goto(f"{address}kinds.html")
        page.get_by_label("Name").fill("Ada")
        page.locator("select").select_option("Large")
        page.locator("#count").click(modifiers=["Shift"])
        page.locator("#count").dblclick()
        page.mouse.move(60, 160)
        page.mouse.wheel(0, 100)
        page.get_by_label("Name").press("Control+a")
        page.keyboard.type("hey")
        page.get_by_label("Paper").set_input_files(PAPER)
        page.locator("canvas").hover()
        page.title()
        page.reload()
        page.goto(f"{address}second.html")
        page.go_back()
        try:
            page.locator("#nowhere").click(timeout=100)
        except Error:
            page.wait_for_timeout(20)
        context.tracing.stop(path=trace)
        browser.close()
    without_folders(trace, (here, HERE.parent.parent))


def without_folders(trace: Path, folders: Sequence[Path]) -> None:
    """Take the names of this machine's folders out of what a trace tells; files are named from there on."""
    with zipfile.ZipFile(trace) as old:
        entries = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(trace, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in entries:
            if Path(name).suffix in (".trace", ".stacks", ".network"):
                for folder in folders:
                    content = content.replace(f"{folder}/".encode(), b"")
            new.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


def record_signup(folder: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--out", str(folder), "--json"])
    assert result.exit_code == 0, result.stderr
    (folder / "run.png").unlink(missing_ok=True)


def _record(env: Env, actions: list[Action], folder: Path, goal: str, told: dict[str, Any]) -> None:
    with Trajectory(folder, goal=goal, env=told) as trajectory:
        policy = ScriptedPolicy(actions)
        result = run_to_end(env, policy, goal, trajectory, RunConfig(max_steps=200), ask=lambda question: "yes")
        assert result.status == "finished", result
        trajectory.check(True)


RECORDERS = {"signup": record_signup, "kinds": record_kinds, "window": record_window, "trace": record_trace}


def main() -> None:
    for name in sys.argv[1:] or RECORDERS:
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        RECORDERS[name](folder)
        print(name, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 1024, "KiB")


if __name__ == "__main__":
    main()
