"""What is for macOS and Windows, as far as it can be tried on X."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from moonhand.envs import OpenApp, UnsupportedAction, VirtualDisplay
from moonhand.envs.panic import PointerSense
from moonhand.envs.system_apps import open_on_mac


def test_a_desktop_loads_nothing_of_x_before_it_is_needed() -> None:
    program = "import sys, moonhand.envs.desktop; print({name.split('.')[0] for name in sys.modules} & {'Xlib'})"
    told = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_a_program_of_a_mac_is_opened_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener = tmp_path / "open"
    opener.write_text(
        f'#!/bin/sh\n[ "$2" = "Text Edit; ls" ] && echo "$@" > {tmp_path}/told && exit\necho none >&2; exit 1\n'
    )
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert open_on_mac(OpenApp(name="Text Edit; ls")) == "it is in front"
    assert (tmp_path / "told").read_text() == "-a Text Edit; ls\n"
    with pytest.raises(UnsupportedAction, match=r"start 'Writer': none"):
        open_on_mac(OpenApp(name="Writer"))


def test_a_pointer_alone_holds_no_keys() -> None:
    senses = PointerSense(lambda: (3.0, 4.0))
    assert senses.pointer() == (3.0, 4.0)
    assert not senses.holds(("ctrl",))


@pytest.mark.display
def test_the_clipboard_of_the_system_lends_a_text_and_keeps_what_was_there(virtual_display: VirtualDisplay) -> None:
    program = (
        "from moonhand.envs.clipboard import SystemClipboard\n"
        "board, seen = SystemClipboard(), []\n"
        "def wait_for(text):  # xclip, which stands in here, comes back a little early\n"
        "    while board.read() != text: pass\n"
        "board.write('kept')\n"
        "wait_for('kept')\n"
        "assert board.can_be_kept()\n"
        "assert board.paste('n\\u00e9 \\u6f22', lambda: wait_for('n\\u00e9 \\u6f22'))\n"
        "wait_for('kept')\n"
    )
    command = [sys.executable, "-c", program]
    subprocess.run(command, env=virtual_display.environ(), stdout=subprocess.DEVNULL, timeout=60, check=True)
