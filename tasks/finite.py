"""Values as JSON can say them."""

from __future__ import annotations

import math
from typing import Any, cast


def finite(value: Any) -> Any:
    """JSON has no infinite numbers and no NaN: they become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in cast("dict[Any, Any]", value).items()}
    return [finite(each) for each in cast("list[Any]", value)] if isinstance(value, list | tuple) else value
