"""Actions as statements of Playwright for Python: on an element where one is known alone, else at a place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from ...envs import (
    AnswerDialog,
    AskUser,
    Back,
    Click,
    CloseTab,
    Drag,
    Extract,
    Finish,
    Forward,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    OpenApp,
    Point,
    PressKeys,
    Refuse,
    Reload,
    Scroll,
    SelectOption,
    SetClipboard,
    SwitchTab,
    TypeText,
    Upload,
    Wait,
    Zoom,
    describe,
)
from ...envs.secrets import names_secrets
from .exported import Done, Told, one_line, python_text
from .locators import is_field, locator_of, position_in
from .page_words import CLOSED_TAB, NEW_TAB, NOTCH_CSS_PX, SETTLE_HELPER, button, key_name, tells, why_not
from .secret_texts import SECRET_HELPER, text_code


@dataclass
class PageCode:
    """Writes the statements, with a comment for each step; what has none is told and stays as a comment.

    `lines` work on `page`, a Page that other tabs take the place of. `helpers` are functions that they call.
    """

    told: Told
    width_css: float
    height_css: float
    lines: list[str] = field(default_factory=list[str])
    helpers: list[str] = field(default_factory=list[str])
    num_located: int = 0
    num_placed: int = 0

    def write(self, done: Sequence[Done]) -> None:
        """All the steps."""
        for number, one in enumerate(done):
            later = done[number + 1].action if number + 1 < len(done) else None
            said = one.step.instruction or ""
            self.add(*self.told.comments_before(one.step.index))
            self.lines.append(
                f"# {one.step.index + 1}. {one_line(describe(one.action))}" + (f": {one_line(said)}" if said else "")
            )
            if isinstance(later, AnswerDialog):  # which Playwright wants to know beforehand
                answer = f"accept({python_text(later.text)})" if later.text else "accept()"
                self.add(f'page.once("dialog", lambda dialog: dialog.{answer if later.accept else "dismiss()"})')
            start = len(self.lines)
            self._act(one)
            if isinstance(later, Upload) and later.point is None:
                self._wrap(start, "with page.expect_file_chooser() as chooser:")
            elif tells(one, NEW_TAB):
                self._wrap(start, "with page.context.expect_page() as opened:")
                self.add("page = opened.value")
            elif tells(one, CLOSED_TAB):
                self.lines.insert(start, "context = page.context")
                self.add("page = context.pages[-1]")
        self.add(*self.told.comments_before(None))

    def add(self, *lines: str) -> None:
        self.lines.extend(lines)

    def _wrap(self, start: int, head: str) -> None:
        self.lines[start:] = [head, *(f"    {line}" for line in self.lines[start:])]

    def _act(self, one: Done) -> None:
        action, scale = one.action, one.step.before.scale
        match action:
            case Click():
                self._click(one, action)
            case Move():
                located = self._located(one, action.point)
                self.add(f"{located}.hover()" if located else f"page.mouse.move({self._place(action.point, scale)})")
            case Drag():
                self._drag(action, scale)
            case MouseDown() | MouseUp():
                if action.point is not None:
                    self._at_place(action.point, scale)
                    self.add(f"page.mouse.move({self._place(action.point, scale)})")
                way = "down" if isinstance(action, MouseDown) else "up"
                self.add(f"page.mouse.{way}({button(action.button)})")
            case Scroll():
                self._scroll(action, scale)
            case TypeText():
                self._type(one, action)
            case PressKeys():
                self._press(action)
            case KeyDown() | KeyUp():
                way = "down" if isinstance(action, KeyDown) else "up"
                self.add(f"page.keyboard.{way}({python_text(key_name(action.key))})")
            case Wait():
                if action.until is not None:
                    self.told.note(f"waits until the screen is {action.until} became waits of their longest time")
                self.add(f"page.wait_for_timeout({round(action.seconds_s * 1000)})")
            case GetClipboard() | SetClipboard():
                self._clipboard(action)
            case SelectOption():
                self._select(one, action)
            case Upload():
                self._upload(one, action)
            case Navigate():
                self.add(f"page.goto({python_text(action.url)})")
            case Back() | Forward():
                self.add(f"page.go_{action.type}()")
            case Reload():
                self.add("page.reload()")
            case NewTab() | SwitchTab() | CloseTab():
                self._tab(action)
            case AnswerDialog():
                self.add("# answered above")
            case OpenApp() | Zoom() | Extract() | AskUser() | Refuse():
                self.add(f"# left out: {self.told.leave_out(one.step, why_not(action))}")
            case Finish():
                pass
            case _:
                assert_never(action)

    def _located(self, one: Done, point: Point | None) -> str | None:
        """The code of a locator that finds the element alone; counts which way was taken."""
        located = locator_of(one.element)
        if located is None:
            if point is not None:
                self._at_place(point, one.step.before.scale)
            return None
        self.num_located += 1
        return located

    def _at_place(self, point: Point, scale: float) -> None:
        self.num_placed += 1
        if SETTLE_HELPER not in self.helpers:
            self.helpers.append(SETTLE_HELPER)
        self.add("# no element was known alone here: the place counts", "settle(page)")

    def _place(self, point: Point, scale: float) -> str:
        return f"{math.floor(point.x_px / scale)}, {math.floor(point.y_px / scale)}"

    def _click(self, one: Done, action: Click) -> None:
        located = self._located(one, action.point)
        options = [] if action.button == "left" else [button(action.button)]
        if located is not None:
            if action.modifiers:
                options.append(f"modifiers={[key_name(each) for each in action.modifiers]!r}")
            options += position_in(one.element, action.point, one.step.before.scale)
            if action.count == 2:
                self.add(f"{located}.dblclick({', '.join(options)})")
                return
            options += [f"click_count={action.count}"] if action.count > 2 else []
            self.add(f"{located}.click({', '.join(options)})")
            return
        options += [f"click_count={action.count}"] if action.count > 1 else []
        given = ", ".join((self._place(action.point, one.step.before.scale), *options))
        self._holding(action.modifiers, f"page.mouse.click({given})")

    def _holding(self, keys: Sequence[str], *lines: str) -> None:
        names = [python_text(key_name(key)) for key in keys]
        self.add(*(f"page.keyboard.down({name})" for name in names), *lines)
        self.add(*(f"page.keyboard.up({name})" for name in reversed(names)))

    def _drag(self, action: Drag, scale: float) -> None:
        self._at_place(action.path[0], scale)
        first, *rest = (self._place(point, scale) for point in action.path)
        each_ms = 0 if action.duration_s is None else round(1000 * action.duration_s / len(rest))
        lines = [f"page.mouse.move({first})", f"page.mouse.down({button(action.button)})"]
        for place in rest:
            lines += [f"page.mouse.move({place}, steps=8)"]
            lines += [f"page.wait_for_timeout({each_ms})"] if each_ms else []
        lines.append(f"page.mouse.up({button(action.button)})")
        self._holding(action.modifiers, *lines)

    def _scroll(self, action: Scroll, scale: float) -> None:
        middle = f"{self.width_css / 2:g}, {self.height_css / 2:g}"
        wide, high = {
            "notch": (NOTCH_CSS_PX, NOTCH_CSS_PX),
            "px": (1 / scale, 1 / scale),
            "page": (self.width_css, self.height_css),
        }[action.unit]
        at = middle if action.point is None else self._place(action.point, scale)
        self.add(
            f"page.mouse.move({at})",
            f"page.mouse.wheel({action.dx * wide:g}, {action.dy * high:g})",
            "page.wait_for_timeout(250)",
        )

    def _type(self, one: Done, action: TypeText) -> None:
        element, text = one.element, self._text(action.text)
        located = locator_of(element) if is_field(element) and "\t" not in action.text else None
        if located is not None:
            self.num_located += 1
            self.add(*([f'{located}.fill("")'] if action.clear else []))
            if action.text:
                way = "fill" if action.via == "paste" and action.clear else "press_sequentially"
                self.add(f"{located}.{way}({text})")
            self.add(*([f'{located}.press("Enter")'] if action.submit else []))
            return
        if action.clear:
            self.add('page.keyboard.press("ControlOrMeta+a")', 'page.keyboard.press("Backspace")')
        pieces = [action.text] if action.via == "paste" else action.text.split("\t")
        for number, piece in enumerate(pieces):
            self.add(*(['page.keyboard.press("Tab")'] if number else []))
            way = "insert_text" if action.via == "paste" else "type"
            self.add(*([f"page.keyboard.{way}({self._text(piece)})"] if piece else []))
        if action.submit:
            self.add('page.keyboard.press("Enter")')

    def _text(self, text: str) -> str:
        """As Python."""
        code = text_code(text, self.told)
        if "secret(" in code and names_secrets(text) and SECRET_HELPER not in self.helpers:
            self.helpers.append(SECRET_HELPER)
        return code

    def _press(self, action: PressKeys) -> None:
        names = [key_name(key, with_shift="shift" in action.keys) for key in action.keys]
        start = len(self.lines)
        if action.hold_s or any("+" in name for name in names):
            wait = [f"page.wait_for_timeout({round(action.hold_s * 1000)})"] if action.hold_s else []
            self._holding(names, *wait)
            if action.hold_s:
                self.told.note("a key that is held does not repeat by itself")
        else:
            self.add(f"page.keyboard.press({python_text('+'.join(names))})")
        if action.repeat > 1:
            self._wrap(start, f"for _ in range({action.repeat}):")

    def _clipboard(self, action: GetClipboard | SetClipboard) -> None:
        self.told.note("the clipboard of a page works on https and localhost alone")
        self.add('page.context.grant_permissions(["clipboard-read", "clipboard-write"])')
        if isinstance(action, SetClipboard):
            js = "(text) => navigator.clipboard.writeText(text)"
            self.add(f'page.evaluate("{js}", {self._text(action.text)})')
        else:
            self.add('copied = page.evaluate("navigator.clipboard.readText()")  # noqa: F841')

    def _select(self, one: Done, action: SelectOption) -> None:
        located, option = self._located(one, action.point), python_text(action.option)
        if located is not None and one.element is not None and one.element.tag == "input":
            self.add(f"{located}.fill({option})")  # a date, a colour, a slider
        elif located is not None:
            self.add(f"{located}.select_option(label={option})")
        else:
            js = "([x, y]) => document.elementFromPoint(x, y).closest('select, label').control ?? " + (
                "document.elementFromPoint(x, y).closest('select')"
            )
            place = self._place(action.point, one.step.before.scale)
            self.add(f'page.evaluate_handle("{js}", [{place}]).as_element().select_option(label={option})')

    def _upload(self, one: Done, action: Upload) -> None:
        paths = f"[{', '.join(map(python_text, action.paths))}]"
        if action.point is None:
            self.add(f"chooser.value.set_files({paths})")
            return
        located = self._located(one, action.point)
        if located is not None and one.element is not None and one.element.tag == "input":
            self.add(f"{located}.set_input_files({paths})")
            return
        click = (
            f"{located}.click()" if located else f"page.mouse.click({self._place(action.point, one.step.before.scale)})"
        )
        self.add("with page.expect_file_chooser() as chooser:", f"    {click}", f"chooser.value.set_files({paths})")

    def _tab(self, action: NewTab | SwitchTab | CloseTab) -> None:
        match action:
            case NewTab():
                self.add("page = page.context.new_page()")
                self.add(*([f"page.goto({python_text(action.url)})"] if action.url else []))
            case SwitchTab():
                self.add(f"page = page.context.pages[{action.index}]", "page.bring_to_front()")
            case CloseTab():
                closed = "page" if action.index is None else f"page.context.pages[{action.index}]"
                self.add("context = page.context", f"{closed}.close()")
                self.add("page = context.pages[-1]", "page.bring_to_front()")
