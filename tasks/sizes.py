"""Sizes as people write them."""

from __future__ import annotations

import re

from ..envs import Size


def parse_size(text: str) -> Size:
    """'1280x720' as a size; ValueError for anything else."""
    found = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text.strip())
    if not found:
        raise ValueError(f"a size is written WIDTHxHEIGHT in px, such as 1280x720; got {text!r}")
    return Size(int(found[1]), int(found[2]))
