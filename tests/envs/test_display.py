from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from moonhand.envs import EnvError, NoDisplay, Size, VirtualDisplay
from moonhand.envs.capture import ScreenCapture
from moonhand.envs.display import _tidy_up  # pyright: ignore[reportPrivateUsage]
from moonhand.envs.hands import XTestHands
from moonhand.envs.held import Held

pytestmark = pytest.mark.display


def socket_of(display: str) -> Path:
    return Path(f"/tmp/.X11-unix/X{display.removeprefix(':')}")


def test_a_virtual_display_has_the_size_asked_for_and_leaves_nothing_behind() -> None:
    before = os.environ.get("DISPLAY")
    with VirtualDisplay(Size(320, 200)) as screen:
        assert socket_of(screen.display).exists()
        assert screen.environ()["DISPLAY"] == screen.display
        capture = ScreenCapture(display=screen.display)
        assert capture.observe().size == Size(320, 200)
        capture.close()
        name = screen.display
    assert not socket_of(name).exists()
    assert os.environ.get("DISPLAY") == before
    with pytest.raises(NoDisplay, match="not running"):
        _ = screen.display


def test_the_next_display_has_another_name_so_that_late_programs_of_the_last_one_stay_away() -> None:
    names: list[str] = []
    for _ in range(4):
        with VirtualDisplay(Size(320, 200)) as screen:
            names.append(screen.display)
            ScreenCapture(display=screen.display).close()
    assert len(set(names)) == 4


def test_a_body_that_raises_leaves_nothing_behind() -> None:
    def use_and_fail() -> None:
        with VirtualDisplay(Size(320, 200), wm=True) as screen:
            sockets.append(socket_of(screen.display))
            raise KeyError

    sockets: list[Path] = []
    with pytest.raises(KeyError):
        use_and_fail()
    assert not sockets[0].exists()


def test_a_server_that_is_killed_leaves_nothing_behind() -> None:
    with ThreadPoolExecutor() as starter:  # a thread that ends: the display does not
        screen = starter.submit(VirtualDisplay(Size(320, 200), wm=True).__enter__).result()
    with closing(screen):
        name = screen.display
        ScreenCapture(display=name).close()
        with pytest.raises(EnvError, match=f"runs already, as {name}"):
            screen.__enter__()
        pids = [newest(program) for program in ("Xvfb", "openbox")]
        held = Held(lambda: XTestHands(name), gap_s=0)
        held.press("shift")
        os.kill(pids[0], signal.SIGSTOP)
        start_s = time.monotonic()
        held.release_afresh()
        assert time.monotonic() - start_s < 10, "a display that does not answer keeps nobody from leaving"
        os.kill(pids[0], signal.SIGKILL)
    assert not socket_of(name).exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_the_display_of_somebody_else_who_has_its_number_by_now_is_left_alone() -> None:
    with VirtualDisplay(Size(320, 200)) as screen:
        _tidy_up(screen.display.removeprefix(":"))
        ScreenCapture(display=screen.display).close()


def newest(program: str) -> int:
    """The process id of the last such child of ours."""
    found = subprocess.run(["pgrep", "-n", "-P", str(os.getpid()), program], capture_output=True, text=True, check=True)
    return int(found.stdout)


def test_a_program_that_is_killed_takes_its_display_with_it() -> None:
    program = (
        "import time\n"
        "from moonhand.envs import Size, VirtualDisplay\n"
        "with VirtualDisplay(Size(320, 200), wm=True) as screen:\n"
        "    print(screen.display, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert socket_of(name).exists()
        pids = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout
        assert len(pids.split()) == 2  # Xvfb and openbox
        process.send_signal(signal.SIGKILL)
    deadline_s = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids.split()):
        assert time.monotonic() < deadline_s, pids
        time.sleep(0.02)
    with contextlib.suppress(FileNotFoundError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(socket_of(name)))  # or another test has the number by now, and a server that answers


def test_a_missing_xvfb_is_named_with_its_package() -> None:
    program = "from moonhand.envs import VirtualDisplay\nwith VirtualDisplay(): pass\n"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PATH": ""}, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "apt-get install -y xvfb" in done.stderr.splitlines()[-1]
