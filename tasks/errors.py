"""What a command can fail with, beside the errors of the environment and the model.

TaskError
|-- BadScript   a script file does not say what it should; the message carries file, line and column
`-- BadRequest  the command's arguments do not go together or name something that is not there
"""

from __future__ import annotations

from collections.abc import Sequence


class TaskError(Exception):
    """Anything this package raises on purpose."""


class BadScript(TaskError):
    """A script does not say what it should."""

    def __init__(self, source: str, line: int, column: int, problem: str) -> None:
        super().__init__(f"{source}:{line}:{column}: {problem}")
        self.source = source
        self.line = line
        self.column = column
        self.problem = problem

    @classmethod
    def of_all(cls, errors: Sequence[BadScript]) -> BadScript:
        """Several, at least one, as one: a line each, and the place of the first."""
        lines = dict.fromkeys(str(error) for error in sorted(errors, key=lambda error: (error.line, error.column)))
        first = min(errors, key=lambda error: (error.line, error.column))
        whole = cls(first.source, first.line, first.column, first.problem)
        whole.args = ("\n".join(lines),)
        return whole


class BadRequest(TaskError):
    """The arguments of a command do not go together, or name something that is not there."""
