"""How sure a score is, and a difference of two: figures of counts, without a sampler."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

Z_95: Final = 1.959963984540054  # the standard normal's 0.975 quantile


def wilson(correct: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a proportion, 95 % unless `z` says otherwise; (0, 1) where nothing was asked.

    Wilson, Journal of the American Statistical Association 22 (1927) 209-212; of the intervals in Newcombe, Statistics
    in Medicine 17 (1998) 857-872, method 3. ValueError unless 0 <= correct <= n.
    """
    if not 0 <= correct <= n:
        raise ValueError(f"an interval needs 0 <= correct <= n, got {correct} of {n}")
    if n == 0:
        return 0.0, 1.0
    share, z2 = correct / n, z * z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if correct == 0 else max(0.0, middle - half)
    high = 1.0 if correct == n else min(1.0, middle + half)
    return low, high


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p of the exact McNemar test: how likely so uneven a split of the discordant pairs is by chance.

    `only_first` and `only_second` count the samples that one run alone got right. McNemar, Psychometrika 12 (1947)
    153-157, with the binomial distribution for its chi-square: twice the smaller tail at 1/2, at most 1. Exact to
    rounding for any count. ValueError for a negative count.
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"counts are not negative, got {only_first} and {only_second}")
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail, term = 1, 1
    for k in range(fewer):
        term = term * (n - k) // (k + 1)  # comb(n, k + 1)
        tail += term
    return min(1.0, (2 * tail) / (1 << n))


def quantile(values: Sequence[float], share: float) -> float:
    """Between the two nearest values, in proportion; `values` are sorted and at least one (ValueError)."""
    if not values:
        raise ValueError("no values, no quantile")
    at = share * (len(values) - 1)
    below = math.floor(at)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (at - below)
