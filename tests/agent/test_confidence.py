"""What the probabilities of a reply's tokens say about how likely it is right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from moonhand.agent.confidence import NEAR, certainty, coordinate_confidence, mass_near_mode


@dataclass(frozen=True)
class Token:
    text: str
    logprob: float = -0.1
    numbers: np.ndarray | None = None
    watched: tuple[float, ...] = ()


def bell(*places: tuple[int, float]) -> np.ndarray:
    """Narrow bells over the thousand numbers, each with its weight."""
    numbers = np.arange(1000)
    total = sum(weight * np.exp(-0.5 * ((numbers - place) / 3) ** 2) for place, weight in places)
    return (total / np.sum(total)).astype(np.float32)


def click(x_C: np.ndarray, y_C: np.ndarray, refusal: float = 0.0) -> list[Token]:
    return [
        Token("click(x=", watched=(refusal,)),
        Token("0"),
        Token("."),
        Token(f"{int(x_C.argmax()):03d}", math.log(0.25), x_C),
        Token(", y="),
        Token("0"),
        Token("."),
        Token(f"{int(y_C.argmax()):03d}", math.log(0.25), y_C),
        Token(")"),
    ]


@dataclass(frozen=True)
class Weigh:
    """A scale that answers with one of the numbers, as it is."""

    name: str

    def probability(self, numbers: Mapping[str, float]) -> float:
        return numbers[self.name]


@dataclass(frozen=True)
class Scales:
    curves: Mapping[str, Weigh]


def test_a_place_taught_as_a_bell_is_certain_though_no_single_number_is() -> None:
    tokens = click(bell((300, 1)), bell((700, 1)))
    sure, single = certainty(tokens), coordinate_confidence(tokens)
    assert sure.confidence == pytest.approx(1, abs=1e-3)
    assert (sure.kind, sure.refusal) == ("point", 0.0)
    assert single is not None
    assert single < 0.6


def test_a_second_place_takes_its_share_of_the_confidence() -> None:
    torn = certainty(click(bell((300, 3), (800, 1)), bell((700, 1))))
    assert torn.spread is not None
    assert (torn.spread.x_mass, torn.spread.y_mass) == (pytest.approx(0.75, abs=0.01), pytest.approx(1, abs=1e-3))
    assert torn.confidence == pytest.approx(math.sqrt(0.75), abs=0.01)


def test_a_click_that_was_nearly_a_refusal_is_less_certain() -> None:
    near, far = (certainty(click(bell((300, 1)), bell((700, 1)), refusal)).confidence for refusal in (0.4, 0.01))
    assert near == pytest.approx(0.6, abs=0.01)
    assert far == pytest.approx(0.99, abs=0.01)


def test_a_refusal_is_as_certain_as_its_first_token() -> None:
    refused = certainty([Token("refuse", watched=(0.8,)), Token("()", watched=(0.0,))])
    assert (refused.kind, refused.confidence, refused.spread) == ("refusal", 0.8, None)
    assert certainty([Token("refuse"), Token("()")]).confidence is None  # nothing was watched


def test_scales_turn_the_numbers_into_the_confidence() -> None:
    scales = Scales({"point": Weigh("x"), "refusal": Weigh("refusal")})
    assert certainty(click(bell((300, 1), (500, 1)), bell((700, 1))), scales).confidence == pytest.approx(0, abs=0.05)
    assert certainty([Token("refuse()", watched=(0.8,))], scales).confidence == pytest.approx(math.log(4))


def test_without_a_spread_the_geometric_mean_of_the_coordinates_tokens_is_taken() -> None:
    tokens = [
        Token("click(x=", -9, watched=(0.1,)),
        Token("0.5", math.log(0.5)),
        Token(", y=", -9),
        Token("0.25", math.log(0.125)),
        Token(")", -9),
    ]
    found = certainty(tokens, Scales({"point": Weigh("x")}))
    assert found.confidence == pytest.approx(0.25)
    assert (found.spread, found.kind, found.numbers) == (None, None, {})


def test_numbers_of_the_thought_and_in_quotes_are_no_place() -> None:
    x_C, y_C, other_C = bell((100, 1)), bell((200, 1)), bell((900, 1))
    thought = [Token("\u25c1think\u25b7 0."), Token("900", -5, other_C), Token("\u25c1/think\u25b7", -5)]
    found = certainty([*thought, *click(x_C, y_C, 0.3)])
    assert found.spread is not None
    assert int(found.spread.x_C.argmax()) == 100
    assert found.refusal == 0.3
    written = [Token("write('"), Token("0."), Token("900", -1, other_C), Token(" 0."), Token("900", -1, other_C)]
    assert certainty([*written, Token("')")]).spread is None


def test_a_number_that_is_no_decimal_of_a_coordinate_is_no_place() -> None:
    x_C = bell((100, 1))
    assert certainty([Token("scroll("), Token("100", -1, x_C), Token(", "), Token("100", -1, x_C)]).spread is None


def test_the_mass_is_of_the_largest_number_and_its_neighbours() -> None:
    even_C = np.full(1000, 0.001, np.float32)
    assert mass_near_mode(even_C) == pytest.approx((NEAR + 1) / 1000)  # the first number has none before it
    edge_C = np.zeros(1000, np.float32)
    edge_C[999] = 1
    assert mass_near_mode(edge_C) == 1


def test_confidence_ignores_numbers_of_the_thought() -> None:
    tokens = [Token("\u25c1think\u25b7 0.9", -5), Token("\u25c1/think\u25b7", -5), Token("x=0.1", math.log(0.5))]
    assert coordinate_confidence(tokens) == pytest.approx(0.5)


def test_without_a_number_there_is_no_confidence() -> None:
    assert coordinate_confidence([Token("um", -1)]) is None
    assert certainty([]).confidence is None
