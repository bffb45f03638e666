from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moonhand.tasks.evals.statistics import mcnemar, quantile, wilson


# Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3: four published cases.
@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_wilson_interval_has_the_values_that_newcombe_published(
    correct: int, n: int, low: float, high: float
) -> None:
    assert wilson(correct, n) == pytest.approx((low, high), abs=5e-5)


def test_the_wilson_interval_holds_its_share_and_mirrors() -> None:
    for n in (1, 2, 7, 1581):
        for correct in {0, 1, n // 2, n - 1, n}:
            low, high = wilson(correct, n)
            assert 0 <= low <= correct / n <= high <= 1
            mirrored = wilson(n - correct, n)
            assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-12)
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_wilson_interval_has_the_roots_of_its_equation() -> None:
    z = 1.959963984540054
    for limit in wilson(630, 1581):
        assert abs(630 / 1581 - limit) == pytest.approx(z * math.sqrt(limit * (1 - limit) / 1581))


@pytest.mark.parametrize(("correct", "n"), [(-1, 5), (6, 5), (1, 0)])
def test_an_interval_of_impossible_counts_is_refused(correct: int, n: int) -> None:
    with pytest.raises(ValueError, match="needs 0 <= correct <= n"):
        wilson(correct, n)


# By hand: twice the smaller tail of Binomial(n, 1/2), at most 1.
@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 2 / 2**5),
        (0, 10, 2 / 2**10),
        (1, 9, 2 * (1 + 10) / 2**10),
        (2, 8, 2 * (1 + 10 + 45) / 2**10),
        (6, 16, 2 * (1 + 22 + 231 + 1540 + 7315 + 26334 + 74613) / 2**22),
    ],
)
def test_the_exact_mcnemar_test_is_twice_the_smaller_tail(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == p
    assert mcnemar(only_second, only_first) == p


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_the_exact_mcnemar_test_agrees_with_the_sum_over_the_binomial(only_first: int, only_second: int) -> None:
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    assert mcnemar(only_first, only_second) == min(1.0, float(2 * tail / 2**n))


def test_many_discordant_pairs_neither_overflow_nor_take_long() -> None:
    assert mcnemar(3000, 3000) == 1.0
    assert mcnemar(0, 5000) == 0.0  # below the smallest float
    assert 0.001 < mcnemar(2900, 3100) < 0.02  # z is 2.58
    with pytest.raises(ValueError, match="not negative"):
        mcnemar(-1, 2)


def test_a_quantile_lies_between_its_neighbours() -> None:
    assert [quantile([1.0, 2.0, 4.0], share) for share in (0, 0.25, 0.5, 0.75, 1)] == [1, 1.5, 2, 3, 4]
    assert quantile([7.0], 0.9) == 7
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)
