"""Sizes as people write them."""

from __future__ import annotations

from ..envs.geometry import parse_size

__all__ = ["parse_size"]
