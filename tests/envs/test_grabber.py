"""Whoever waits for a picture of the screen can be stopped."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
import time

import pytest
from moonhand.envs import NoDisplay, Size, VirtualDisplay
from moonhand.envs.capture import ScreenCapture

pytestmark = pytest.mark.display


def test_no_keyboard_interrupt_is_lost_while_the_screen_is_grabbed(virtual_display: VirtualDisplay) -> None:
    grabbing, caught, is_over = (threading.Event() for _ in range(3))

    def watch() -> None:
        with ScreenCapture(display=virtual_display.display) as capture:
            while not is_over.is_set():
                try:
                    grabbing.set()
                    while not is_over.is_set():
                        capture.grab()
                except KeyboardInterrupt:
                    caught.set()

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        for number in range(200):
            assert grabbing.wait(20)
            time.sleep(0.002 + 0.00001 * number)
            caught.clear()
            grabbing.clear()
            error = ctypes.py_object(KeyboardInterrupt)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(watching.ident or 0), error)
            assert caught.wait(20), f"number {number} is lost"
    finally:
        is_over.set()
        watching.join()


STOPPED_SERVER = """
import os, signal, subprocess, threading, time
from moonhand.envs import Size, VirtualDisplay
from moonhand.envs.capture import ScreenCapture

with VirtualDisplay(Size(320, 200)) as screen, ScreenCapture(display=screen.display) as capture:
    capture.grab()
    server = int(subprocess.run(["pgrep", "-P", str(os.getpid()), "Xvfb"], capture_output=True, text=True).stdout)
    os.kill(server, signal.SIGSTOP)
    print("stopped", flush=True)
    try:
        capture.grab()
    finally:
        os.kill(server, signal.SIGCONT)
"""


def test_ctrl_c_ends_the_wait_for_a_display_that_does_not_answer() -> None:
    with subprocess.Popen([sys.executable, "-c", STOPPED_SERVER], stdout=-1, stderr=-1, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "stopped\n"
        time.sleep(0.3)
        program.send_signal(signal.SIGINT)
        try:
            _, told = program.communicate(timeout=20)
        finally:
            program.kill()
    assert told.rstrip().endswith("KeyboardInterrupt")


def test_a_display_that_went_away_is_told() -> None:
    with VirtualDisplay(Size(320, 200)) as screen:
        capture = ScreenCapture(display=screen.display)
        capture.grab()
    with pytest.raises(NoDisplay, match="the display stopped answering"):
        capture.grab()
    capture.close()
    capture.close()
    with pytest.raises(NoDisplay, match="the capture of this display is closed"):
        capture.grab()
