"""Typed texts as code: what stands for a secret is read from the environment when the script runs."""

from __future__ import annotations

import re

from ...envs.secrets import variable_of
from .exported import Told, python_text

_SECRET = re.compile(r"\{\{secret:([A-Za-z0-9_.-]+)\}\}")

SECRET_HELPER = '''
def secret(name: str) -> str:
    """What a text of the run named and did not show: set the variable before you run this."""
    if name not in os.environ:
        raise SystemExit(f"set {name} in the environment first")
    return os.environ[name]
'''


def text_code(text: str, told: Told) -> str:
    """The text as a Python expression; where it names secrets, it needs SECRET_HELPER."""
    parts = _SECRET.split(text)  # text, name, text, name, ..., text
    if len(parts) == 1:
        return python_text(text)
    told.note("secrets are read from the environment: " + ", ".join(variable_of(name) for name in parts[1::2]))
    code = [f"secret({variable_of(part)!r})" if at % 2 else python_text(part) for at, part in enumerate(parts)]
    return " + ".join(part for part in code if part != "''")
