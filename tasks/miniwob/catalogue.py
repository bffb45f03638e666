"""Which tasks there are, and what is meant by the names of groups of them."""

from __future__ import annotations

import difflib

from ..errors import BadRequest
from .episodes import FLIGHT, TRAIN_TASKS, UNSEEN_TASKS, pages_folder

# Pages in the package that upstream's Gymnasium registers no environment for (miniwob 1.1.0, registration.py).
UNREGISTERED = frozenset(
    ("button-delay", "chase-circle", "hover-shape", "moving-items", "simon-says", f"{FLIGHT}Alaska-auto-medium")
)
GROUPS = {
    "all": "every page of the package: 130, and 4 of FlightWoB",
    "upstream": "the 128 that Gymnasium registers: 125, and 3 of FlightWoB",
    "browsergym": "the 125 of BrowserGym: `upstream` without FlightWoB",
    "trained": "the 20 that nano was trained on, with other seeds",
    "unseen": "10 of the others",
}


def all_tasks() -> tuple[str, ...]:
    """Every page, by name; FlightWoB's come last. BadRequest where the package is not installed."""
    folder = pages_folder()
    flights = (folder.parent / "flight").glob("*/wrapper.html")
    pages = sorted(path.stem for path in folder.glob("*.html"))
    return (*pages, *sorted(f"{FLIGHT}{path.parent.name}" for path in flights))


def tasks_called(names: str) -> tuple[str, ...]:
    """The tasks of a group of GROUPS, or of a list of names with commas between, each once. BadRequest for others."""
    known = all_tasks()
    match names.strip():
        case "all":
            return known
        case "upstream":
            return tuple(task for task in known if task not in UNREGISTERED)
        case "browsergym":
            return tuple(task for task in known if task not in UNREGISTERED and not task.startswith(FLIGHT))
        case "trained":
            return TRAIN_TASKS
        case "unseen":
            return UNSEEN_TASKS
        case listed:
            asked = tuple(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))
    for name in asked:
        if name not in known:
            close = difflib.get_close_matches(name, (*known, *GROUPS), n=3)
            hint = f": did you mean {' or '.join(close)}?" if close else f"; groups are {', '.join(GROUPS)}"
            raise BadRequest(f"MiniWoB++ has no task {name!r}{hint}")
    if not asked:
        raise BadRequest(f"name the tasks, with commas between, or one of {', '.join(GROUPS)}")
    return asked
