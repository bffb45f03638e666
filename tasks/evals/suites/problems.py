"""What can be wrong with a suite, row by row, and the error that names it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ...errors import BadRequest

SHOWN: Final = 20  # problems in the message of an error; all are in `.problems`


class ProblemKind(StrEnum):
    """The sorts of problems. `NOTES` are told and leave the row as good as it was."""

    BAD_FILE = "bad file"  # cannot be read at all: no row of it can be left out
    BAD_JSON = "bad JSON"
    MISSING_FIELD = "missing field"
    BAD_FIELD = "bad field"  # there, and of another type or value than it may have
    NOT_A_NUMBER = "not a number"  # NaN or infinite
    EMPTY_INSTRUCTION = "empty instruction"
    DUPLICATE_ID = "duplicate id"
    NO_CONVENTION = "no convention"  # none of the known ways to write a box fits the file
    TWO_CONVENTIONS = "two conventions"  # more than one does
    SWAPPED_CORNERS = "swapped corners"
    ZERO_SIZE = "zero size"
    OUTSIDE = "outside the picture"
    NO_SIZE = "no size"  # neither the row nor a picture says how large the screenshot is
    MISSING_PICTURE = "missing picture"
    FOREIGN_PICTURE = "foreign picture"  # its name leads out of the suite's folder
    TWO_PICTURES = "two pictures"  # of the same name, in different folders
    UNREADABLE_PICTURE = "unreadable picture"
    OTHER_SIZE = "other size"  # of the picture than its row says
    PAST_EDGE = "past the edge"  # by no more than the slack
    SAME_QUESTION = "same question"  # about the same picture as an earlier row
    NO_CATEGORIES = "no categories"
    OTHER_COUNT = "other count"  # of rows than is published


NOTES: Final = frozenset(
    {ProblemKind.PAST_EDGE, ProblemKind.SAME_QUESTION, ProblemKind.NO_CATEGORIES, ProblemKind.OTHER_COUNT}
)
OF_FILES: Final = frozenset({ProblemKind.BAD_FILE, ProblemKind.NO_CONVENTION, ProblemKind.TWO_CONVENTIONS})


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong. `row` counts from 1 within `file`; it is None where the whole file is meant."""

    file: str
    row: int | None = None
    id: str | None = None
    kind: ProblemKind
    said: str

    @property
    def is_note(self) -> bool:
        """Whether the row can be asked all the same."""
        return self.kind in NOTES

    @property
    def is_of_file(self) -> bool:
        """Whether leaving rows out cannot mend it."""
        return self.kind in OF_FILES

    def __str__(self) -> str:
        row = "" if self.row is None else f", row {self.row}"
        name = "" if self.id is None else f" ({self.id})"
        return f"{self.file}{row}{name}: {self.kind.value}: {self.said}"

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "row": self.row,
            "id": self.id,
            "kind": self.kind.value,
            "note": self.is_note,
            "said": self.said,
        }


def by_kind(problems: Iterable[Problem]) -> str:
    """How many there are of each sort, most first: "1272 missing picture, 1 outside the picture"."""
    return ", ".join(f"{num} {kind.value}" for kind, num in Counter(each.kind for each in problems).most_common())


class BadSuite(BadRequest):
    """A suite has rows that cannot be asked or judged; `problems` names every one, notes among them left out."""

    def __init__(self, suite: str, problems: Sequence[Problem], advice: str) -> None:
        self.problems = tuple(problem for problem in problems if not problem.is_note)
        count = len(self.problems)
        kinds = f" ({by_kind(self.problems)})" if count > SHOWN else ""
        lines = [f"{suite} has {count} problem{'s' if count != 1 else ''}{kinds}:"]
        lines += [f"  {problem}" for problem in self.problems[:SHOWN]]
        if count > SHOWN:
            lines.append(f"  ... and {count - SHOWN} more")
        super().__init__("\n".join((*lines, advice)))
