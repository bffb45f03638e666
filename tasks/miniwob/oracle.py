"""The right next action of each of the 20 training tasks, told from the page's DOM and the task's sentence alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...agent import Parsed, Policy, Reply, ScriptedPolicy, Step, write_kimi
from ...agent.policy import turns_done
from ...envs import Action, BrowserEnv, Click, Frame, TypeText
from ..errors import TaskError
from .page import Element, PageState, read_page

SHAPES = {"svg-circle": "Circle", "svg-rect": "Rectangle", "svg-polygon": "Triangle"}


@dataclass(frozen=True)
class Move:
    """Click an element, or type into whatever has the focus."""

    element: Element | None
    text: str = ""

    @property
    def action(self) -> Action:
        if self.element is None:
            return TypeText(text=self.text)
        x_px, y_px = self.element.point
        return Click(x_px=x_px, y_px=y_px)


class OraclePolicy:
    """The oracle in a model's place: it says its moves in the replies a model is taught, with three decimals."""

    def __init__(self, env: BrowserEnv, task: str) -> None:
        self._env, self._task = env, task
        self._reader: Policy = ScriptedPolicy(())

    def reply(self, goal: str, frame: Frame, history: Sequence[Step]) -> Reply:
        def to_norm(x_px: float, y_px: float) -> tuple[float, float]:
            return x_px / frame.size.width_px, y_px / frame.size.height_px

        move = next_move(self._task, read_page(self._env), turns_done(history))
        return Reply(text=write_kimi(move.action, to_norm))

    def read(self, reply: Reply, frame: Frame) -> Parsed:
        return self._reader.read(reply, frame)

    def manifest(self) -> Mapping[str, Any]:
        return {"kind": "oracle", "task": self._task}


def next_move(task: str, page: PageState, num_done: int) -> Move:
    """What to do after `num_done` right moves. TaskError for a page that does not show what its task asks for."""
    if task not in _RULES:
        raise TaskError(f"there is no oracle for {task!r}, only for {', '.join(_RULES)}")
    try:
        return _RULES[task](page, num_done)
    except (StopIteration, IndexError, AttributeError) as error:
        raise TaskError(f"{task}: {page.utterance!r} does not fit the page: {page.text!r}") from error


def _first(page: PageState, label: str, *tags: str) -> Move:
    return Move(next(element for element in page.elements if element.label == label and element.tag in tags))


def _tagged(page: PageState, *tags: str) -> list[Element]:
    return [element for element in page.elements if element.tag in tags]


def _quoted(page: PageState) -> list[str]:
    return re.findall(r'"(.*?)"', page.utterance)


def _only_button(page: PageState, num_done: int) -> Move:
    return Move(_tagged(page, "button")[0])


def _quoted_button(page: PageState, num_done: int) -> Move:
    return _first(page, _quoted(page)[0], "button")


def _close_or_button(page: PageState, num_done: int) -> Move:
    label = _quoted(page)[0]
    return _first(page, "close" if label == "x" else label, "button")


def _one_then_two(page: PageState, num_done: int) -> Move:
    return _first(page, ("ONE", "TWO")[num_done], "button")


def _link(page: PageState, num_done: int) -> Move:
    return _first(page, _quoted(page)[0], "span")


def _tab(page: PageState, num_done: int) -> Move:
    found = re.search(r"Tab #\d", page.utterance)
    assert found is not None
    return _first(page, found[0], "a")


def _select(page: PageState, num_done: int) -> Move:
    """Each of the named boxes from top to bottom, then the button."""
    found = re.fullmatch(r"Select (.*) and click Submit\.", page.utterance)
    assert found is not None
    names = set(found[1].split(", ")) - {"nothing"}
    for element in _tagged(page, "checkbox", "radio"):
        if element.label in names and not element.checked:
            return Move(element)
    return _first(page, "Submit", "button")


def _expand(page: PageState, num_done: int) -> Move:
    return Move(_tagged(page, "h3")[0]) if num_done == 0 else _first(page, "Submit", "button")


def _color(page: PageState, num_done: int) -> Move:
    found = re.search(r"Click on the (.*) colored box", page.utterance)
    assert found is not None
    return Move(next(element for element in _tagged(page, "div") if element.name == found[1]))


def _widget(page: PageState, num_done: int) -> Move:
    return Move(next(element for element in page.elements if element.name == _quoted(page)[0]))


def _field(page: PageState, num_done: int) -> Move:
    return Move(_tagged(page, "text")[0])


def _numbered_field(page: PageState, num_done: int) -> Move:
    found = re.search(r"the (\d)", page.utterance)
    assert found is not None
    return Move(_tagged(page, "text")[int(found[1]) - 1])


def _fill(page: PageState, texts: Sequence[str], num_done: int, button: str) -> Move:
    """Field by field, from top to bottom: click, write; then the button."""
    at, writes = divmod(num_done, 2)
    if at >= len(texts):
        return _first(page, button, "button")
    return Move(None, texts[at]) if writes else Move(_tagged(page, "text", "password")[at])


def _enter(page: PageState, num_done: int) -> Move:
    return _fill(page, _quoted(page)[:1], num_done, "Submit")


def _password(page: PageState, num_done: int) -> Move:
    return _fill(page, _quoted(page)[:1] * 2, num_done, "Submit")


def _login(page: PageState, num_done: int) -> Move:
    return _fill(page, _quoted(page), num_done, "Login")


def _grid(page: PageState, num_done: int) -> Move:
    found = re.search(r"\(.*?\)", page.utterance)
    assert found is not None
    return Move(next(element for element in _tagged(page, "svg-circle") if element.name == found[0]))


def _identify(page: PageState, num_done: int) -> Move:
    (figure,) = _tagged(page, "svg-text", *SHAPES)
    letters = "Number" if figure.label.isdigit() else "Letter"
    return _first(page, SHAPES.get(figure.tag, letters), "button")


_RULES: dict[str, Callable[[PageState, int], Move]] = {
    "click-button": _quoted_button,
    "click-button-sequence": _one_then_two,
    "click-checkboxes-transfer": _select,
    "click-collapsible": _expand,
    "click-color": _color,
    "click-dialog": _close_or_button,
    "click-dialog-2": _close_or_button,
    "click-link": _link,
    "click-option": _select,
    "click-tab": _tab,
    "click-test": _only_button,
    "click-test-2": _one_then_two,
    "click-widget": _widget,
    "enter-password": _password,
    "enter-text": _enter,
    "focus-text": _field,
    "focus-text-2": _numbered_field,
    "grid-coordinate": _grid,
    "identify-shape": _identify,
    "login-user": _login,
}
