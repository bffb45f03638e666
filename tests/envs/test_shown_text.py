"""How words are found in the text of a screen."""

from __future__ import annotations

import pytest
from moonhand.envs import DryRunEnv, Frame, ReadableScreen, Region, ReplayEnv, ShownPiece, ShownText

BOX = Region(10, 20, 30, 5)


def shown(*texts: str) -> ShownText:
    """Each text a block of its own; one that begins with "+" goes on the one before."""
    return ShownText(
        tuple(ShownPiece(text.removeprefix("+"), BOX, joins=text.startswith("+")) for text in texts),
    )


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["Thank you,  Ada"], "thank YOU,\nada"),
        (["Total: ", "+$", "+50"], "Total: $50"),
        (["Total:", "$50"], "Total: $50"),
        (["$", "50"], "$50"),  # blocks may stand side by side
        (["Name", "Ada"], "Name Ada"),
        (["Save", "Cancel"], "save"),
        (["Stra\u00dfe 5"], "STRASSE 5"),
        (["co\u00adoperate"], "cooperate"),
        (["10\u00a0000 \u20ac"], "10 000 \u20ac"),
        (["caf\u0065\u0301"], "caf\u00e9"),
        (["\u8bf7\u767b\u5f55\u7cfb\u7edf"], "\u767b\u5f55"),  # scripts without spaces have no edges of words
        (["(3) items"], "3"),
        (["Is it done?"], "done"),
        (["Total 5."], "Total 5"),
    ],
)
def test_words_are_found_as_people_read_them(texts: list[str], words: str) -> None:
    assert shown(*texts).find(words) is not None


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["11 items"], "1 item"),
        (["1 items"], "1 item"),
        (["Total $50"], "$5"),
        (["Total $5.00"], "$5"),
        (["1,500"], "500"),
        (["12:30"], "30"),
        (["Restart"], "start"),
        (["Sign", "+up"], "up"),
        (["thank you"], "thank  you, Ada"),
        ([], "anything"),
    ],
)
def test_parts_of_words_and_numbers_are_not_found(texts: list[str], words: str) -> None:
    assert shown(*texts).find(words) is None


def test_a_place_is_around_all_pieces_that_hold_the_words() -> None:
    text = ShownText((ShownPiece("Sign", Region(10, 10, 20, 10)), ShownPiece("up now", Region(40, 12, 30, 10))))
    found = text.find("sign UP")
    assert found is not None
    assert (found.text, found.box) == ("Sign up", Region(10, 10, 60, 12))
    assert text.text == "Sign up now"


def test_what_is_not_shown_is_found_only_as_such() -> None:
    text = ShownText(
        (ShownPiece("Seen", BOX), ShownPiece("Hidden", BOX, "hidden"), ShownPiece("Below", BOX, "outside"))
    )
    assert text.text == "Seen"
    assert text.find("Hidden") is None
    assert text.find("Hidden", "hidden") is not None
    assert text.find("Below", "outside") is not None


def test_no_words_are_an_error() -> None:
    with pytest.raises(ValueError, match="no words"):
        shown("a").find(" \n ")


def test_a_screen_of_pictures_tells_no_text() -> None:
    env = ReplayEnv([Frame(__import__("numpy").zeros((4, 4, 3), "uint8"))], [])
    assert not isinstance(env, ReadableScreen)
    assert DryRunEnv(env).shown_text() is None
