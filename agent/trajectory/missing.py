"""Which steps were made and are not in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast


def promised_steps(run: Mapping[str, Any]) -> int | None:
    """How many were made, as `run.json` says; None for a run that was killed or is still going."""
    result = run.get("result")
    steps = cast(dict[str, Any], result).get("steps") if isinstance(result, dict) else None
    return steps if isinstance(steps, int) else None


def missing_steps(indices: Sequence[int], promised: int | None) -> tuple[range, ...]:
    """Indices that none of the steps has, in order: gaps, then as many at the end as were promised and are no gap."""
    missing: list[range] = []
    following = 0
    for index in sorted(indices):
        if index > following:
            missing.append(range(following, index))
        following = max(following, index + 1)
    lost = (promised or 0) - len(indices) - sum(gap.stop - gap.start for gap in missing)
    if lost > 0:
        missing.append(range(following, following + lost))
    return tuple(missing)


def missing_in_words(missing: range) -> str:
    """Counted from 1."""
    first, last = missing.start + 1, missing.stop
    return f"step {first} is missing" if first == last else f"steps {first} to {last} are missing"
