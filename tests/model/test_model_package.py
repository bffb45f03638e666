from __future__ import annotations

import subprocess
import sys

import moonhand.model
import pytest


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, moonhand.model; from moonhand.model import ModelError; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", moonhand.model.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(moonhand.model, name).__name__ == name
    assert name in dir(moonhand.model)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = moonhand.model.nothing
