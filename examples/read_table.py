"""Read a table that goes over several pages: the page tells its rows, and the model finds the button that turns it.

python examples/read_table.py > orders.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from moonhand.agent import browser
from moonhand.envs import BrowserEnv

PAGE = (Path(__file__).parent / "pages" / "orders.html").as_uri()
ROWS_JS = "[...document.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText))"


def main() -> None:
    orders = csv.writer(sys.stdout)
    with browser(PAGE, model="nano", viewport=(460, 420)) as screen:
        assert isinstance(screen.env, BrowserEnv)  # a desktop has no page to ask
        for page in (1, 2, 3):
            screen.expect(f"Page {page} of 3").visible(timeout_s=5)
            orders.writerows(screen.env.evaluate(ROWS_JS))
            if page < 3:
                screen.click("Next")


if __name__ == "__main__":
    main()
