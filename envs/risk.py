"""What an action may do that a person would want to be asked about."""

from __future__ import annotations

from typing import Literal

from .actions import Action

Risk = Literal["secret", "submit", "download", "upload", "leave", "shell"]
"""Typing a secret; submitting a form; starting a download; giving away a file; leaving the site the run began on (or
its allow-list); keys and programs that reach beyond the page or window, such as ctrl+alt+t."""


def risks_of(action: Action) -> frozenset[Risk]:
    """The risks that the action itself shows, wherever it is performed."""
    return frozenset()
