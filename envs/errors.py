"""What can go wrong between us and a screen. Every message names the next step.

EnvError
|-- NoDisplay          there is no X display to capture or touch
|-- NoBrowser          there is no Chromium, or it does not start
|-- MissingTool        a program that this action needs is not installed
|-- CannotStart        a program that was to be started does not start, or shows nothing
|-- Unreachable        the URL did not answer
|-- PageGone           the page crashed, closed or stopped answering
|-- PointOffScreen     an action points outside the screenshot
`-- UnsupportedAction  this environment cannot do that action
    `-- DialogOpen     a JavaScript dialog has to be answered before anything else
"""

from __future__ import annotations


class EnvError(Exception):
    """Anything an environment raises on purpose."""


class NoDisplay(EnvError):
    """There is no X display to capture or touch."""


class NoBrowser(EnvError):
    """There is no Chromium, or it does not start."""


class MissingTool(EnvError):
    """A program or font that is needed is not installed."""


class CannotStart(EnvError):
    """A program that was to be started does not start, or shows nothing; names the command and why."""


class Unreachable(EnvError):
    """The URL did not answer."""


class PageGone(EnvError):
    """The page crashed, closed or stopped answering; the environment must be opened again."""


class PointOffScreen(EnvError):
    """An action points outside the screenshot; nothing was touched."""


class UnsupportedAction(EnvError):
    """This environment cannot do that action; nothing was touched. The message says what to do instead."""


class DialogOpen(UnsupportedAction):
    """A JavaScript dialog is open and has to be answered first; nothing else was touched."""
