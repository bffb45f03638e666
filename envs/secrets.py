"""Secrets by name: `{{secret:NAME}}` stands for one wherever text is typed, and never leaves the environment."""

from __future__ import annotations

import os
from collections.abc import Callable

SecretLookup = Callable[[str], str | None]  # name -> value, None where there is none


def secret_from_environment(name: str) -> str | None:
    """MOONHAND_SECRET_NAME."""
    return os.environ.get(f"MOONHAND_SECRET_{name.upper()}")
