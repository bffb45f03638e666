"""Fill in a form by the names of its fields, as they stand in the pixels, and check what the page says then.

python examples/fill_form.py
"""

from __future__ import annotations

from pathlib import Path

from moonhand.agent import browser

PAGE = (Path(__file__).parent / "pages" / "signup.html").as_uri()


def main() -> None:
    with browser(PAGE, model="nano", viewport=(460, 420)) as screen:
        screen.type("Ada Lovelace", into="Full name")
        screen.type("ada@example.com", into="Email")
        screen.type("correct horse 42", into="Password")
        print("the page took:", screen.extract(of="the Email field").value)
        screen.locate("tick I agree to the terms").click()
        screen.click("Create account")
        sighting = screen.expect("Your account is ready").visible(timeout_s=5)
        print("seen by", sighting.how, "-", sighting.said)


if __name__ == "__main__":
    main()
