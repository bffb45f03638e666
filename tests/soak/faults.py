"""Faults on purpose, and what is left after each: keys and buttons up, a readable trajectory, no process, no file.

    .venv/bin/python tests/soak/faults.py [--runs 200] [--minutes 10] [--seed 0]

Leaves with 1 where anything stayed behind, with 2 where the time was over before the runs were.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from child_run import CHILD_LIMIT_S, Told, check_trajectory, in_a_child, tidy
from moonhand.envs import (
    Action,
    BrowserConfig,
    BrowserEnv,
    Click,
    DesktopConfig,
    DesktopEnv,
    Drag,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Point,
    PressKeys,
    Scroll,
    TypeText,
    VirtualDisplay,
    Wait,
)
from soak import PAGE, VIEWPORT, WINDOW
from watching import adopt_orphans, descendants, stale_files, wait_until_alone
from Xlib.display import Display

POINTS = (Point(60, 330), Point(200, 400), Point(300, 340))
HANDS: tuple[Action, ...] = (
    Click(x_px=200, y_px=40),
    TypeText(text='a <b> "c" caf\u00e9 \u6f22'),
    KeyDown(key="shift"),
    TypeText(text="held"),
    KeyUp(key="shift"),
    PressKeys(keys=("ctrl", "a"), hold_s=0.2),
    MouseDown(x_px=60, y_px=330),
    Move(x_px=200, y_px=400),
    MouseUp(x_px=300, y_px=340),
    Drag(path=POINTS, duration_s=0.4, modifiers=("shift",)),
    Click(x_px=200, y_px=180, modifiers=("ctrl",), count=2),
    Scroll(dy=2, x_px=200, y_px=180),
    Wait(seconds_s=0.2),
)


@dataclass
class Row:
    """What the runs with one fault came to."""

    fault: str
    runs: int = 0
    bad: int = 0
    seconds: float = 0.0
    num_empty_folders: int = 0  # temporary ones that stayed
    statuses: Counter[str] = field(default_factory=Counter[str])  # of the trajectories
    problems: list[str] = field(default_factory=list[str])


def what_is_held(display: str) -> list[str]:
    """Keys and buttons that are down on an X display."""
    connection = Display(display)
    try:
        keys = [
            8 * index + bit
            for index, byte in enumerate(connection.query_keymap())
            for bit in range(8)
            if byte >> bit & 1
        ]
        buttons = connection.screen().root.query_pointer().mask & 0x1F00
    finally:
        connection.close()
    return ([f"keys down: {keys}"] if keys else []) + ([f"buttons down: {buttons:#x}"] if buttons else [])  # fmt: skip


def _send_after(delay_s: float, signum: int = signal.SIGINT) -> Callable[[int], None]:
    def send(child: int) -> None:
        time.sleep(delay_s)
        with suppress(ProcessLookupError):
            os.kill(child, signum)

    return send


class Part:
    """One kind of faults: its runs, counted, and what was wrong after them."""

    def __init__(self, name: str, work: Path, deadline_s: float, seed: int) -> None:
        self.name, self.work, self.deadline_s = name, work, deadline_s
        self.dice = random.Random(seed)
        self.rows: dict[str, Row] = {}

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.deadline_s

    def note(self, fault: str, told: Told, *, statuses: tuple[str | None, ...], codes: tuple[int, ...]) -> None:
        problems = list(told.problems)
        if told.status not in statuses:
            problems.append(f"status {told.status}, not one of {statuses}")
        if told.code not in codes:
            problems.append(f"exit code {told.code}, not one of {codes}")
        row = self.rows.setdefault(fault, Row(fault=fault))
        row.runs += 1
        row.bad += bool(problems)
        row.num_empty_folders += told.num_empty_folders
        row.seconds = round(row.seconds + told.took_s, 1)
        row.statuses[str(told.status)] += 1
        row.problems += [f"run {row.runs}: {problem}" for problem in problems]
        if problems:
            print(f"{fault}, run {row.runs}: {problems}", file=sys.stderr, flush=True)

    def folder(self) -> Path:
        """A new one."""
        return Path(tempfile.mkdtemp(dir=self.work))


def interrupted_desktop(part: Part, num_runs: int) -> None:
    """SIGINT at random points of runs on one display."""
    with ExitStack() as stack:
        screen = stack.enter_context(VirtualDisplay(VIEWPORT, wm=True))
        window = subprocess.Popen([sys.executable, "-c", WINDOW], env=screen.environ())
        stack.callback(window.wait)
        stack.callback(window.terminate)
        time.sleep(1.0)
        known = set(descendants())

        def open_desktop() -> DesktopEnv:
            return DesktopEnv(DesktopConfig(display=screen.display))

        with open_desktop() as env:
            env.perform(MouseDown(x_px=60, y_px=330))
            env.perform(KeyDown(key="shift"))
            assert len(what_is_held(screen.display)) == 2  # it would be seen
        clean = in_a_child(part.folder(), open_desktop, HANDS, known=known)
        clean.problems += what_is_held(screen.display)
        part.note("none (desktop)", clean, statuses=("finished",), codes=(0,))
        for _ in range(num_runs):
            if part.is_over:
                return
            delay_s = part.dice.uniform(0, clean.took_s)
            told = in_a_child(part.folder(), open_desktop, HANDS, meanwhile=_send_after(delay_s), known=known)
            if held := what_is_held(screen.display):
                told.problems += [*held, f"SIGINT after {delay_s:.3f} s"]
                in_a_child(part.folder(), open_desktop, HANDS, known=known)  # lets go
            part.note("SIGINT (desktop)", told, statuses=("stopped", "finished", None), codes=(130, 0))


def interrupted_browser(part: Part, num_runs: int) -> None:
    """SIGINT at random points of runs in a Chromium of their own, one in four of them in a kiosk."""
    page = part.work / "page.html"
    page.write_text(PAGE)
    took_s = {"headless": 0.0, "kiosk": 0.0}
    for number in range(num_runs + 2):
        if part.is_over:
            return
        surface = "kiosk" if number == 1 or (number > 1 and number % 4 == 0) else "headless"
        config = BrowserConfig(url=page.as_uri(), viewport=VIEWPORT, surface=surface, settle_s=1.0)
        if number < 2:
            told = in_a_child(part.folder(), lambda config=config: BrowserEnv(config), HANDS)
            took_s[surface] = told.took_s
            part.note(f"none ({surface})", told, statuses=("finished",), codes=(0,))
            continue
        delay_s = part.dice.uniform(0, took_s[surface])
        told = in_a_child(
            part.folder(), lambda config=config: BrowserEnv(config), HANDS, meanwhile=_send_after(delay_s)
        )
        if told.problems:
            told.problems.append(f"SIGINT after {delay_s:.3f} s")
        part.note(f"SIGINT ({surface})", told, statuses=("stopped", "finished", None), codes=(130, 0))


def interrupted_command(part: Part, num_runs: int) -> None:
    """SIGINT at random points of the real command with the real nano."""
    page = part.work / "page.html"
    page.write_text(PAGE)
    took_s = 0.0
    for number in range(num_runs + 1):
        if part.is_over:
            return
        folder = part.folder()
        command = [sys.executable, "-m", "moonhand.tasks", "run", "click Count; type Ada into the field; wait 1"]
        command += ["--url", page.as_uri(), "--viewport", "480x440", "--out", str(folder / "run"), "--json"]
        started_s = time.monotonic()
        known = set(descendants())
        delay_s = part.dice.uniform(0.3 * took_s, took_s)  # before that Python is still importing
        with (folder / "stderr").open("w") as said:
            program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
            if number:
                _send_after(delay_s)(program.pid)
            try:
                code = program.wait(CHILD_LIMIT_S)
            except subprocess.TimeoutExpired:
                program.kill()
                code = program.wait()
        told = Told(code=code, performed=0, took_s=time.monotonic() - started_s)
        took_s = took_s or told.took_s
        if left := wait_until_alone(known):
            told.problems.append(f"processes left: {sorted(left.values())}")
        tidy(told)
        check_trajectory(folder / "run", told)
        if told.problems or told.code == 1:
            told.problems += [f"SIGINT after {delay_s:.3f} s", (folder / "stderr").read_text()[-1500:]]
        if number:
            part.note("SIGINT (moonhand run, nano)", told, statuses=("stopped", "finished", None), codes=(130, 0, -2))


def broken_browsers(part: Part) -> None:
    """The browser killed, and the page crashed, in the middle of a run."""
    page = part.work / "page.html"
    page.write_text(PAGE)
    for surface in ("headless", "kiosk"):
        config = BrowserConfig(url=page.as_uri(), viewport=VIEWPORT, surface=surface, settle_s=1.0)

        def kill_browser(child: int) -> None:
            _wait_for_steps(child)
            for process_id, name in descendants().items():
                if name.startswith(("chrom", "headless")):
                    with suppress(ProcessLookupError):
                        os.kill(process_id, signal.SIGKILL)

        def crash_page(child: int) -> None:
            _wait_for_steps(child)
            for process_id in descendants():
                with suppress(OSError):
                    if b"--type=renderer" in Path(f"/proc/{process_id}/cmdline").read_bytes():
                        os.kill(process_id, signal.SIGKILL)

        told = in_a_child(part.folder(), lambda config=config: BrowserEnv(config), HANDS * 3, meanwhile=kill_browser)
        part.note(f"browser killed ({surface})", told, statuses=("error",), codes=(3,))
        told = in_a_child(part.folder(), lambda config=config: BrowserEnv(config), HANDS * 3, meanwhile=crash_page)
        part.note(f"page crashed ({surface})", told, statuses=("error",), codes=(3,))


def broken_displays(part: Part) -> None:
    """The X server killed, or asleep for a while, in the middle of a run."""
    for fault in ("display gone", "X server slow"):
        with ExitStack() as stack:
            screen = stack.enter_context(VirtualDisplay(VIEWPORT))
            server = next(process_id for process_id, name in descendants().items() if name == "Xvfb")
            known = set(descendants())

            def harm(child: int, fault: str = fault, server: int = server) -> None:
                _wait_for_steps(child)
                if fault == "display gone":
                    os.kill(server, signal.SIGKILL)
                    return
                for _ in range(3):
                    os.kill(server, signal.SIGSTOP)
                    time.sleep(1.0)
                    os.kill(server, signal.SIGCONT)
                    time.sleep(0.3)

            # No window takes what is pasted here, so only what the keyboard has is typed.
            actions = [TypeText(text="abc") if isinstance(each, TypeText) else each for each in HANDS * 2]
            display = screen.display
            told = in_a_child(
                part.folder(),
                lambda display=display: DesktopEnv(DesktopConfig(display=display)),
                actions,
                meanwhile=harm,
                known=known,
            )
            if fault == "X server slow":
                told.problems += what_is_held(display)
                part.note(fault, told, statuses=("finished",), codes=(0,))
            number = display.removeprefix(":")
        if fault == "display gone":
            told.problems = [problem for problem in told.problems if not problem.startswith("files left")]
            told.problems += [f"files left: {stale}" for stale in [stale_files({number})] if stale]
            part.note(fault, told, statuses=("error",), codes=(3,))


def broken_machine(part: Part) -> None:
    """A full disk, and a clock that is set back, in the middle of a run."""
    with ExitStack() as stack:
        screen = stack.enter_context(VirtualDisplay(VIEWPORT))
        display, known = screen.display, set(descendants())
        actions = [TypeText(text="abc") if isinstance(each, TypeText) else each for each in HANDS * 3]

        def open_desktop() -> DesktopEnv:
            return DesktopEnv(DesktopConfig(display=display))

        def cap_files() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

        told = in_a_child(part.folder(), open_desktop, actions, before=cap_files, known=known)
        told.problems += what_is_held(display)
        part.note("no file may grow (RLIMIT_FSIZE)", told, statuses=("error",), codes=(3,))

        folder = part.folder()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "moonhand-small", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
            stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=False)
            told = in_a_child(folder, open_desktop, actions * 8, before=lambda: _fill(folder), known=known)
            told.problems += what_is_held(display)
            part.note("disk full (a small tmpfs)", told, statuses=("error",), codes=(3,))

        for name, jump_s in (("back", -3600.0), ("ahead", 86_400.0)):
            told = in_a_child(part.folder(), open_desktop, actions, before=lambda s=jump_s: _jump(s), known=known)
            told.problems += what_is_held(display)
            part.note(f"clock jumps {name}", told, statuses=("finished",), codes=(0,))


def _fill(folder: Path) -> None:
    """Leave a few kB: the next steps still fit."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "filler").write_bytes(b"x" * max(0, free - 20_000))


def _jump(by_s: float) -> None:
    """Set this process's clock, as its Python sees it, a second from now; the machine's is not ours to set."""
    true_time, jump_at_s = time.time, time.monotonic() + 1.0
    time.time = lambda: true_time() + (by_s if time.monotonic() > jump_at_s else 0.0)


def _wait_for_steps(child: int) -> None:
    """Until the child has had time for some actions: it has used a browser or display for a second."""
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        files = Path(f"/proc/{child}/fd")
        with suppress(OSError):
            for link in files.iterdir():
                with suppress(OSError):
                    target = Path(os.readlink(link))
                    if target.name == "steps.jsonl" and target.stat().st_size:
                        return
        time.sleep(0.02)


def run_part(part: Part, runs: int) -> None:
    match part.name:
        case "desktop":
            interrupted_desktop(part, runs * 11 // 20)
        case "browser":
            interrupted_browser(part, runs * 7 // 20)
        case _:
            for broken in (broken_displays, broken_machine, broken_browsers):
                if not part.is_over:
                    broken(part)
            interrupted_command(part, runs - runs * 11 // 20 - runs * 7 // 20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="interrupted ones, of all kinds together")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", choices=("desktop", "browser", "others"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    started_s = time.monotonic()
    if given.part:
        adopt_orphans()
        with tempfile.TemporaryDirectory() as folder:
            work, temp = Path(folder, "work"), Path(folder, "t")
            work.mkdir()
            temp.mkdir()
            os.environ["TMPDIR"] = tempfile.tempdir = str(temp)  # of our programs, too
            part = Part(given.part, work, started_s + 60 * given.minutes, given.seed)
            run_part(part, given.runs)
            tempfile.tempdir = None
        print(json.dumps([vars(row) for row in part.rows.values()]), flush=True)
        return 0
    command = [sys.executable, __file__, *sys.argv[1:], "--minutes", str(given.minutes * 0.93), "--part"]
    names = ("desktop", "browser", "others")
    programs = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in names]
    rows: list[dict[str, Any]] = []
    for name, program in zip(names, programs, strict=True):
        printed, _ = program.communicate()
        if program.returncode:
            crashed = f"exit {program.returncode}: its traceback is above"
            rows.append({"fault": f"part {name}", "runs": 0, "bad": 1, "statuses": {}, "problems": [crashed]})
        else:
            rows += json.loads(printed.splitlines()[-1])
    print(f"{'fault':<34}{'runs':>6}{'bad':>6}{'empty temp folders':>20}  how the trajectories ended")
    for row in rows:
        ended = ", ".join(f"{status} {number}" for status, number in sorted(row["statuses"].items()))
        num_empty = row.get("num_empty_folders", 0)
        print(f"{row['fault']:<34}{row['runs']:>6}{row['bad']:>6}{num_empty:>20}  {ended}")
    num_interrupted = sum(row["runs"] for row in rows if row["fault"].startswith("SIGINT"))
    num_bad = sum(row["bad"] for row in rows)
    summary = {"interrupted": num_interrupted, "of": given.runs, "bad": num_bad}
    print(json.dumps({**summary, "seconds": round(time.monotonic() - started_s, 1), "rows": rows}))
    return 1 if num_bad else 0 if num_interrupted >= given.runs else 2


if __name__ == "__main__":
    sys.exit(main())
