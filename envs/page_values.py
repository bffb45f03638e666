"""Fields of a page that hold one value out of many: dates, times, colours, sliders, fields with suggestions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from playwright.sync_api import ElementHandle

from .actions import SelectOption
from .errors import UnsupportedAction
from .wording import describe

EXAMPLES = {
    "date": "2026-11-22",
    "time": "14:30",
    "datetime-local": "2026-11-22T14:30",
    "month": "2026-11",
    "week": "2026-W47",
    "color": "#ff0000",
    "range": "a number",
}
VALUED = ", ".join((*(f"input[type={kind}]" for kind in EXAMPLES), "input[list]"))  # a selector of them all

CONTROL_JS = """
(control) => ({
  kind: control.type,
  locked: control.matches(":disabled") || (control.readOnly && !["color", "range"].includes(control.type)),
  options: [...control.list?.options ?? []].map((one) => [
    (one.label || one.value).trim().replace(/\\s+/g, " "), one.value]),
  bounds: ["min", "max", "step"].map((name) => control.getAttribute(name) ?? ""),
})
"""
# What the field would make of a value, tried on a copy.
TRY_JS = """
(control, value) => {
  const copy = control.cloneNode();
  copy.value = value;
  const {rangeUnderflow, rangeOverflow, stepMismatch} = copy.validity;
  return [copy.value, rangeUnderflow || rangeOverflow || stepMismatch];
}
"""
# Frameworks put a `value` of their own on the field; that of the prototype is what a person's input goes through.
SET_JS = """
(control, value) => {
  control.focus();
  if (control.value === value) return;
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(control, value);
  control.dispatchEvent(new Event("input", {bubbles: true, composed: true}));
  control.dispatchEvent(new Event("change", {bubbles: true}));
}
"""


class _Control(NamedTuple):
    kind: str
    locked: bool
    options: list[tuple[str, str]]  # suggestions: the words shown, and the value
    bounds: tuple[str, str, str]  # min, max, step


def set_value(control: ElementHandle, action: SelectOption) -> None:
    """Give the field the value, or the suggestion with these words, with the events that a person's choice has.

    UnsupportedAction, before anything is touched, says what is accepted.
    """
    found = _Control(**control.evaluate(CONTROL_JS))
    if found.locked:
        raise UnsupportedAction(f"{describe(action)}: the page does not let this field be changed now")
    asked = action.option.strip()
    number = entry([words for words, _ in found.options], " ".join(asked.split()))
    if number is None:
        number = entry([value for _, value in found.options], asked)
    if number is not None:
        asked = found.options[number][1]
    elif found.kind not in EXAMPLES:
        shown = listed([words for words, _ in found.options])
        raise UnsupportedAction(f"{describe(action)}: the field suggests no such entry, only {shown}; or type the text")
    value, is_out = cast(tuple[str, bool], control.evaluate(TRY_JS, asked))
    if is_out or not _same(found.kind, asked, value):
        raise UnsupportedAction(f"{describe(action)}: this {found.kind} field takes {_accepted(found)}")
    control.evaluate(SET_JS, value)


def entry(names: Sequence[str], asked: str) -> int | None:
    """The entry that is these words, else the only one that is in another case."""
    if asked in names:
        return names.index(asked)
    close = [number for number, name in enumerate(names) if name.casefold() == asked.casefold()]
    return close[0] if len(close) == 1 else None


def listed(names: Sequence[str]) -> str:
    return (", ".join(repr(name) for name in names[:40]) + (", ..." if len(names) > 40 else "")) or "none"


def _same(kind: str, asked: str, value: str) -> bool:
    """Whether the field keeps what is asked for: one that it cannot read it empties, or puts another in its place."""
    if kind == "color":
        return value == asked.lower()
    if kind == "range":
        try:
            return float(asked) == float(value)
        except ValueError:
            return False
    return bool(value) or not asked


def _accepted(control: _Control) -> str:
    kind, (least, most, step) = control.kind, control.bounds
    parts = [f"{EXAMPLES[kind]!r}" if kind != "range" else "a number"]
    if kind == "range":
        least, most = least or "0", most or "100"
    if least or most:
        parts.append(f"from {least or 'any'} to {most or 'any'}")
    if step or kind == "range":
        parts.append(f"in steps of {step or '1'}" + (" (seconds or days)" if kind != "range" else ""))
    if kind not in ("range",):
        parts[0] = f"a value such as {parts[0]}"
    if control.options:
        parts.append(f"or {listed([words for words, _ in control.options])}")
    return " ".join(parts)
