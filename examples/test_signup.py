"""A test of a page with the fixtures that moonhand brings: run it with pytest.

    pytest examples/test_signup.py

Where an expectation does not hold, the report names a picture of what the page showed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from moonhand.agent import Screen

PAGE = (Path(__file__).parent / "pages" / "signup.html").as_uri()


@pytest.mark.screen(url=PAGE, viewport=(460, 420))
def test_a_form_that_is_not_filled_in_says_so(screen: Screen) -> None:
    screen.expect("Please fill in every field").absent(timeout_s=0)
    screen.click("Create account")
    screen.expect("Please fill in every field").visible()
    screen.expect("Your account is ready").absent(timeout_s=0)


@pytest.mark.screen(url=PAGE, viewport=(460, 420))
def test_cancel_empties_the_form(screen: Screen) -> None:
    screen.type("Ada Lovelace", into="Full name")
    screen.expect("Ada Lovelace").visible()
    screen.click("Cancel")
    screen.expect("Ada Lovelace").absent()
