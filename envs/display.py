"""A virtual X display: real windows, without a monitor."""

from __future__ import annotations

import os
import secrets
import select
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import Xlib.display
import Xlib.error

from .errors import EnvError, NoDisplay
from .geometry import Size
from .secrets import without_secrets
from .windows import wait_for_manager

DEFAULT_SIZE = Size(1280, 720)
START_LIMIT_S = 20.0


class VirtualDisplay:
    """Runs Xvfb, and openbox as window manager where `wm` is set, for as long as the `with` body lasts.

    Its number is one of many, so that a program of a display that has ended does not come up on the next one. Nothing
    in this process's environment changes: hand `.display` to DesktopEnv and `.environ()` to programs. NoDisplay names
    the package where a program is missing. On Linux both programs end with this process, even if that is killed.
    """

    def __init__(self, size: Size = DEFAULT_SIZE, wm: bool = False) -> None:
        self.size = size
        self.wm = wm
        self._stack = ExitStack()
        self._display: str | None = None

    def __enter__(self) -> Self:
        if self._display is not None:
            raise EnvError(
                f"this VirtualDisplay runs already, as {self._display}: make another one for a second display"
            )
        with ExitStack() as stack:
            stack.callback(self._forget)
            # To the kernel the parent is the thread that starts a program: so one that stays as long as we are open.
            keeper = stack.enter_context(ThreadPoolExecutor(1, "moonhand-display"))
            self._display = self._start_server(stack, keeper)
            if self.wm:
                self._start_window_manager(stack, keeper)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def _forget(self) -> None:
        self._display = None

    @property
    def display(self) -> str:
        """The name of the display, such as ":99"."""
        if self._display is None:
            raise NoDisplay("this VirtualDisplay is not running: use it as `with VirtualDisplay() as screen:`")
        return self._display

    def environ(self) -> dict[str, str]:
        """This process's environment, without its secrets and with the virtual display as its only one, for programs to
        be started on it."""
        environ = {key: value for key, value in without_secrets(os.environ).items() if key != "WAYLAND_DISPLAY"}
        return environ | {"DISPLAY": self.display}

    def _start_server(self, stack: ExitStack, keeper: ThreadPoolExecutor) -> str:
        read_fd, write_fd = os.pipe()
        screen = f"{self.size}x24"
        try:
            command = [_program("Xvfb", "xvfb"), f":{_free_number()}", "-displayfd", str(write_fd)]
            command += ["-screen", "0", screen, "-nolisten", "tcp", "-dpi", "96", "-noreset"]
            server = _start(stack, keeper, command, pass_fds=(write_fd,))
        finally:
            os.close(write_fd)
        with os.fdopen(read_fd) as answer:
            is_ready = select.select([answer], [], [], START_LIMIT_S)[0]
            number = answer.readline().strip() if is_ready else ""
        if not number:
            raise NoDisplay(f"Xvfb did not start (exit status {server.poll()}); run it by hand: {' '.join(command)}")
        stack.callback(_tidy_up, number)
        stack.callback(_end, server)
        return f":{number}"

    def _start_window_manager(self, stack: ExitStack, keeper: ThreadPoolExecutor) -> None:
        manager = _start(stack, keeper, [_program("openbox", "openbox"), "--sm-disable"], env=self.environ())
        connection = Xlib.display.Display(self.display)
        try:
            sign = connection.intern_atom("_NET_SUPPORTING_WM_CHECK")
            deadline_s = time.monotonic() + START_LIMIT_S
            while connection.screen().root.get_full_property(sign, 0) is None:
                if manager.poll() is not None or time.monotonic() > deadline_s:
                    raise NoDisplay(f"openbox did not start on {self.display}; run it by hand, or leave out wm=True")
                time.sleep(0.02)
            wait_for_manager(connection, START_LIMIT_S)  # it has its sign before it hears of windows
        finally:
            with suppress(Xlib.error.ConnectionClosedError):
                connection.close()


def _program(name: str, package: str) -> str:
    if found := shutil.which(name):
        return found
    raise NoDisplay(f"{name} is not installed: apt-get install -y {package}")


def _start(
    stack: ExitStack,
    keeper: ThreadPoolExecutor,
    command: list[str],
    *,
    env: dict[str, str] | None = None,
    pass_fds: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    # With setpriv the kernel ends the program even when this process is killed outright.
    setpriv = shutil.which("setpriv")
    guarded = [setpriv, "--pdeathsig", "TERM", *command] if setpriv else command
    quiet = subprocess.DEVNULL
    # In a session of its own, Ctrl-C in the terminal reaches us first: held keys can still be released.
    process = keeper.submit(
        lambda: subprocess.Popen(
            guarded, env=env, pass_fds=pass_fds, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
    ).result()
    stack.callback(_end, process)
    return process


def _free_number() -> int:
    while True:
        number = 100 + secrets.randbelow(50_000)  # below 100 are people's own; an X server takes none above 59,535
        if not Path(f"/tmp/.X11-unix/X{number}").exists():
            return number


def _tidy_up(number: str) -> None:
    """Remove the socket that an Xvfb that was killed leaves behind, unless another one has the number by now."""
    path = f"/tmp/.X11-unix/X{number}"
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except ConnectionRefusedError:  # nobody listens
            Path(path).unlink(missing_ok=True)
        except FileNotFoundError:
            pass


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
