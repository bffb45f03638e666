"""What can go wrong between a goal and a screen. Every message says what was wrong and what to do.

AgentError
|-- ParseError        a reply that cannot be read as actions; carries the raw text and the span
|-- BadGoal           a goal that is not a list of plain steps, for a model that cannot plan
|-- TargetRefused     the model does not see the thing looked for, or is not sure enough of it
|-- NotSeen           what a program expected on the screen is not there, or still is; an AssertionError, too
|-- BadProfile        a prompt profile that cannot be read, or that there is not
|-- CannotAnswer      a question about the screen for a policy that only acts
`-- TrajectoryError   a trajectory cannot be written or opened
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .expect import Sighting

Span = tuple[int, int]  # start and end offset in the text, end excluded


class AgentError(Exception):
    """Anything the agent raises on purpose."""


class ParseError(AgentError):
    """A reply that cannot be read as actions; nothing was done. The loop shows it to the model again.

    `text` is the whole reply, `span` the part that was not understood.
    """

    def __init__(self, message: str, text: str, span: Span) -> None:
        start, end = span
        excerpt = text[start : min(end, start + 80)]
        super().__init__(f"{message}: {excerpt!r}" if excerpt else message)
        self.message = message
        self.text = text
        self.span = span


class BadGoal(AgentError):
    """A goal that is not a list of plain steps, for a model that cannot plan."""


class TargetRefused(AgentError):
    """The model does not see the thing looked for, or is not sure enough of it; nothing was touched."""


class NotSeen(AgentError, AssertionError):
    """What a program expected on the screen is not there in time, or is still there.

    `text` is what was looked for, `sighting` the last look at it, and `picture` the file with what the screen showed
    then and a mark on it; None where that could not be written.
    """

    def __init__(self, message: str, *, text: str, sighting: Sighting, picture: Path | None) -> None:
        super().__init__(message)
        self.text = text
        self.sighting = sighting
        self.picture = picture


class BadProfile(AgentError):
    """A prompt profile that cannot be read, or that there is not; names the file and the key."""


class CannotAnswer(AgentError):
    """A question about the screen for a policy that only acts; nothing was done. The loop shows it to the model."""


class TrajectoryError(AgentError):
    """A trajectory cannot be written or opened; what was written before stays readable."""
