"""Secrets on a desktop: where one is typed stays covered."""

import subprocess
import sys
import time
from collections.abc import Generator

import numpy as np
import pytest
from moonhand.envs import Click, DesktopConfig, DesktopEnv, Frame, GetClipboard, PressKeys, TypeText, VirtualDisplay

pytestmark = pytest.mark.display

VALUE = "hunter2-xyz"
WINDOW = """
import tkinter
root = tkinter.Tk()
root.attributes("-fullscreen", True)
field = tkinter.Entry(root, font=("TkFixedFont", 14), insertontime=0)
field.place(x=20, y=20, width=400, height=40)
label = tkinter.Label(root, background="white")
label.place(x=20, y=200, width=400, height=40)
field.bind("<Return>", lambda event: label.config(background="#33cc33"))
field.focus_force()
root.mainloop()
"""


@pytest.fixture
def desktop(virtual_display: VirtualDisplay) -> Generator[DesktopEnv]:
    config = DesktopConfig(display=virtual_display.display, secrets={"shop": VALUE}.get)
    with (
        subprocess.Popen([sys.executable, "-c", WINDOW], env=virtual_display.environ()) as program,
        DesktopEnv(config) as env,
    ):
        try:
            deadline_s = time.monotonic() + 30
            while (env.observe().pixels_HW3[220, 200] != 255).any():
                assert time.monotonic() < deadline_s
            yield env
        finally:
            program.kill()


def letters(frame: Frame) -> int:
    """How many colours the field has where the first letters stand."""
    return len(np.unique(frame.pixels_HW3[32:50, 26:100].reshape(-1, 3), axis=0))


def test_where_a_secret_was_typed_stays_covered(desktop: DesktopEnv) -> None:
    desktop.perform(Click(x_px=200, y_px=40))
    desktop.perform(TypeText(text="plain text 1"))
    assert letters(desktop.observe()) > 1
    effect = desktop.perform(TypeText(text="{{secret:shop}}", clear=True, submit=True))
    assert effect.detail == "clear, type '{{secret:shop}}', enter"
    frame = desktop.observe()
    assert letters(frame) == 1
    assert (frame.pixels_HW3[220, 200] == (0x33, 0xCC, 0x33)).all(), "what Enter changed is not covered"
    desktop.perform(PressKeys(keys=("backspace",)))
    assert letters(desktop.observe()) == 1
    for keys in (("ctrl", "a"), ("ctrl", "c")):
        desktop.perform(PressKeys(keys=keys))
    assert VALUE not in str(desktop.perform(GetClipboard()).answer)
