from __future__ import annotations

import subprocess
import sys

import moonhand.envs
import pytest


def test_every_exported_name_is_there() -> None:
    assert all(getattr(moonhand.envs, name) is not None for name in moonhand.envs.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Browser'"):
        moonhand.envs.Browser  # noqa: B018  # pyright: ignore


def test_the_package_imports_without_a_display_and_without_what_only_its_environments_need() -> None:
    program = (
        "import sys, moonhand.envs\n"
        "print(sorted({'playwright', 'pyautogui', 'mss', 'Xlib', 'torch'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={}, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
