"""A dialog of a page, drawn onto the last frame of that page, where a mouse and a keyboard can answer it."""

from __future__ import annotations

import io
from typing import Literal, NamedTuple, cast
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Browser

from .actions import Click, PressKeys, TypeText
from .env import Done, Frame
from .geometry import Size
from .page_input import PageHands

DialogInput = Click | TypeText | PressKeys  # what a drawn dialog takes

MAX_MESSAGE = 1000  # characters of a message that are drawn
LINE_CSS_PX, AROUND_LINES_CSS_PX, MAX_LINES = 20, 150, 16

BOX_HTML = """<!doctype html><meta charset=utf-8>
<style>
  html, body { margin: 0; height: 100%; overflow: hidden; background: transparent }
  #box { box-sizing: border-box; width: min(448px, 100vw - 16px); margin: 8px auto 0; padding: 16px;
    background: #fff; color: #1f1f1f; border: 1px solid #767676; border-radius: 8px;
    box-shadow: 0 4px 16px rgb(0 0 0 / 40%); font: 14px/20px sans-serif; user-select: none }
  #title { margin: 0 0 8px; font-size: 16px; font-weight: bold; white-space: nowrap; overflow: hidden;
    text-overflow: ellipsis }
  #message { margin: 0 0 12px; white-space: pre-wrap; overflow-wrap: anywhere; overflow: hidden;
    display: -webkit-box; -webkit-box-orient: vertical }
  #text { box-sizing: border-box; width: 100%; height: 32px; margin: 0 0 12px; padding: 0 8px; font: inherit;
    border: 1px solid #767676; border-radius: 4px; user-select: text }
  #buttons { display: flex; justify-content: flex-end; gap: 8px }
  button { height: 32px; min-width: 64px; padding: 0 12px; font: inherit; border-radius: 4px }
  #accept { background: #0b57d0; color: #fff; border: 1px solid #0b57d0 }
  #dismiss { background: #fff; color: #0b57d0; border: 1px solid #767676 }
  :focus { outline: 2px solid #0b57d0; outline-offset: 1px }
</style>
<div id=box>
  <h1 id=title></h1><p id=message></p><input id=text type=text autocomplete=off spellcheck=false>
  <div id=buttons><button id=accept></button><button id=dismiss></button></div>
</div>"""

BEGIN_JS = """
({title, message, lines, text, accept, dismiss}) => {
  const of = (id) => document.getElementById(id);
  const fill = (id, words) => { if (words === null) of(id).remove(); else of(id).textContent = words; };
  fill("title", title); fill("message", message || null); fill("accept", accept); fill("dismiss", dismiss);
  if (message) of("message").style.webkitLineClamp = lines;
  if (text === null) of("text").remove(); else of("text").value = text;
  (text === null ? of("accept") : of("text")).focus();
  if (text !== null) of("text").select();
  window.answer = null; window.touched = false;
  const end = (accepts) => { window.answer ??= [accepts, of("text")?.value ?? ""]; };
  addEventListener("mousedown", (event) => {
    if (event.target.matches("button, input")) window.touched = true;
    else event.preventDefault();  // the focus stays
  });
  addEventListener("click", (event) => {
    if (event.target.matches("button")) end(event.target.id === "accept");
  });
  addEventListener("keydown", (event) => {
    if (event.target.matches("input") || event.key === "Tab") window.touched = true;
    if (event.key === "Escape") end(dismiss === null);
    else if (event.key === "Enter" && event.target.id !== "dismiss") end(true);
  });
}
"""
STATE_JS = "() => { const was = touched; touched = false; return [answer, was] }"


class Answer(NamedTuple):
    """How a dialog was answered; None as text leaves a prompt its suggestion."""

    accept: bool
    text: str | None = None


class DialogWords(NamedTuple):
    """What a dialog says, and on which page."""

    kind: Literal["alert", "confirm", "prompt", "beforeunload"]
    message: str
    suggested: str  # by a prompt, as its answer
    url: str


class DialogPicture:
    """A dialog over a frame: its origin, its message, the field of a prompt, OK and Cancel or Leave and Stay.

    The browser itself draws it, in a page of its own in a context of its own: with the fonts that the page has, at the
    frame's scale, and always in the same places for the same words and size. What has no font shows as boxes, there as
    in the page. For the browser's thread; PlaywrightError comes out of every method.
    """

    def __init__(self, browser: Browser, words: DialogWords, base: Frame) -> None:
        self._base = base
        width_px, height_px = (max(1, round(px / base.scale)) for px in (base.size.width_px, base.size.height_px))
        self._words = words
        self._hands = PageHands(scale=base.scale, viewport=Size(width_px, height_px))
        self._context = browser.new_context(
            viewport={"width": width_px, "height": height_px}, device_scale_factor=base.scale
        )
        self._page = self._context.new_page()
        self._page.set_content(BOX_HTML)
        lines = (height_px - AROUND_LINES_CSS_PX - 44 * (words.kind == "prompt")) // LINE_CSS_PX
        self._page.evaluate(BEGIN_JS, {**_shown(words), "lines": max(1, min(MAX_LINES, lines))})

    def draw(self) -> Frame:
        """The frame with the dialog as it is now."""
        with Image.open(io.BytesIO(self._page.screenshot(omit_background=True))) as image:
            box = image.convert("RGBA")
        size = self._base.size
        picture = Image.fromarray(self._base.pixels_HW3).convert("RGBA")
        picture.alpha_composite(box.crop((0, 0, size.width_px, size.height_px)))  # a fraction of a px may be too much
        return Frame(np.asarray(picture.convert("RGB")), self._base.scale, origin_pt=self._base.origin_pt)

    def touch(self, action: DialogInput) -> tuple[Done, Answer | None]:
        """What became of it, and the answer it gave."""
        if isinstance(action, TypeText) and self._words.kind != "prompt":  # its spaces would press the button
            return self._nothing("it has no field for text"), None
        self._hands.send(self._page, action)
        answer, was_touched = cast(tuple[list[object] | None, bool], self._page.evaluate(STATE_JS))
        if answer is not None:
            return Done(), Answer(bool(answer[0]), str(answer[1]))
        if was_touched:
            return Done(), None
        return self._nothing("that did nothing to it"), None

    def close(self) -> None:
        """End what drew it."""
        self._context.close()

    def _nothing(self, why: str) -> Done:
        shown = _shown(self._words)
        names = " or ".join(name for name in (shown["accept"], shown["dismiss"]) if name)
        return Done(False, notes=(f"a dialog is open and {why}: click {names}",))


def _shown(words: DialogWords) -> dict[str, str | None]:
    message = words.message
    if len(message) > MAX_MESSAGE:
        message = message[:MAX_MESSAGE] + "..."
    host = urlsplit(words.url).netloc.rpartition("@")[2]
    title, accept, dismiss = f"{host or 'This page'} says", "OK", "Cancel"
    if words.kind == "beforeunload":
        title, accept, dismiss = f"Leave {host or 'this page'}?", "Leave", "Stay"
        message = "Changes you made may not be saved."
    return {
        "title": title,
        "message": message,
        "text": words.suggested if words.kind == "prompt" else None,
        "accept": accept,
        "dismiss": None if words.kind == "alert" else dismiss,
    }
