"""What a MiniWoB++ page shows, read from its DOM: every element a task can be about, and every word.

Lengths are CSS px here; the picture has DEVICE_SCALE px for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...envs import BrowserEnv, Size
from ..screens.samples import Box, Word

PAGE_SIZE = Size(160, 210)  # CSS px: the yellow task line, and below it the area to act in
WINDOW_SIZE = Size(500, 320)  # CSS px, as upstream: some pages place things by the width of the window around the task
FLIGHT_SIZE = Size(375, 667)  # CSS px of a FlightWoB page; its task stands beside it, out of the picture
FLIGHT_WINDOW = Size(600, 800)  # CSS px, as upstream
DEVICE_SCALE = 2.0


@dataclass(frozen=True, eq=False)
class Element:
    """Something drawn on the page. `point` is a place of it that nothing covers, as near its middle as can be.

    `tag` is the HTML tag, of an input its type, of a figure `svg-circle` and so on; `label` what is written on or
    beside it, "" where nothing is; `name` what only the DOM says: an id, a data attribute.
    """

    tag: str
    name: str
    label: str
    value: str  # of a text field
    checked: bool
    focused: bool
    box: Box  # px of the picture, where a click counts
    point: tuple[float, float]
    parts: tuple[Box, ...]


@dataclass(frozen=True)
class PageState:
    """One look at a page; `text` is all that can be read in the area, `utterance` the task."""

    utterance: str
    text: str
    elements: tuple[Element, ...]
    words: tuple[Word, ...]


def read_page(env: BrowserEnv) -> PageState:
    """Look at the DOM of the page in front."""
    found: Mapping[str, Any] = env.evaluate(READ_JS)
    words = tuple(_word(word["text"], word["edges"], word["top"], word["bottom"]) for word in found["words"])
    return PageState(found["utterance"], found["text"], tuple(map(_element, found["elements"])), words)


def _element(found: Mapping[str, Any]) -> Element:
    x, y = found["point"]
    return Element(
        found["tag"],
        found["name"],
        found["label"],
        found["value"],
        found["checked"],
        found["focused"],
        _box(*found["box"]),
        (x * DEVICE_SCALE, y * DEVICE_SCALE),
        tuple(_box(*part) for part in found["parts"]),
    )


def _word(text: str, edges: list[float], top: float, bottom: float) -> Word:
    edges_px = tuple(edge * DEVICE_SCALE for edge in edges)
    return Word(text, (edges_px[0], top * DEVICE_SCALE, edges_px[-1], bottom * DEVICE_SCALE), edges_px)


def _box(left: float, top: float, right: float, bottom: float) -> Box:
    width_px, height_px = PAGE_SIZE.width_px * DEVICE_SCALE, PAGE_SIZE.height_px * DEVICE_SCALE
    return (
        max(0.0, left * DEVICE_SCALE),
        max(0.0, top * DEVICE_SCALE),
        min(width_px, right * DEVICE_SCALE),
        min(height_px, bottom * DEVICE_SCALE),
    )


# Words of a text field are placed by measuring its value in its own font; dots of a password are not words.
READ_JS = """
(() => {
  const WIDTH = 160, HEIGHT = 210;
  const SELECTOR = "button, .alink, input, textarea, .ui-tabs-anchor, h3, .color, svg circle, svg rect, svg polygon, "
    + "svg text";
  const outside = (node) => node.closest("#reward-display, #sync-task-cover, #click-canvas") !== null;
  const boxOf = (rect) => [rect.left, rect.top, rect.right, rect.bottom];
  const union = (boxes) => [0, 1, 2, 3].map((side) =>
    (side < 2 ? Math.min : Math.max)(...boxes.map((box) => box[side])));
  const textIn = (node) => node.textContent.replace(/\\s+/g, " ").trim();
  const shown = (node) => {
    const style = getComputedStyle(node);
    return style.visibility !== "hidden" && style.display !== "none";
  };
  const hits = (node, x, y) => {
    if (x < 0 || y < 0 || x >= WIDTH || y >= HEIGHT) return false;
    const top = document.elementFromPoint(Math.floor(x), Math.floor(y));
    return top !== null && (top === node || node.contains(top));
  };
  // The middle if it is free, else the free place that is farthest from what is not.
  const placeOf = (node, box) => {
    const [left, top, right, bottom] = box;
    const middle = [(left + right) / 2, (top + bottom) / 2];
    if (hits(node, ...middle)) return middle;
    const side = 12, free = [], taken = [];
    for (let i = 0; i <= side; i++) for (let j = 0; j <= side; j++) {
      const place = [left + (right - left) * (i + 0.5) / (side + 1), top + (bottom - top) * (j + 0.5) / (side + 1)];
      (hits(node, ...place) ? free : taken).push(place);
    }
    if (!free.length) return null;
    const room = ([x, y]) => Math.min(x - left, right - x, y - top, bottom - y,
      ...taken.map(([u, v]) => Math.hypot(u - x, v - y)));
    return free.reduce((best, place) => room(place) > room(best) + 1e-6 ? place : best);
  };
  const labelOf = (node) => {
    if (node.matches("input[type=checkbox], input[type=radio]")) {
      const label = node.closest("label");
      return label ? [textIn(label), label] : ["", null];
    }
    if (node.matches("input, textarea")) {
      const before = node.previousElementSibling;
      const label = before !== null && before.matches("label, span") ? before : null;
      return label ? [textIn(label).replace(/\\s*:$/, ""), label] : ["", null];
    }
    if (node.matches(".ui-dialog-titlebar-close")) return ["close", null];
    return [textIn(node), null];
  };
  const elements = [];
  for (const node of document.querySelectorAll(SELECTOR)) {
    if (outside(node) || node.closest("#query") || !shown(node)) continue;
    const rects = [...node.getClientRects()].filter((rect) => rect.width > 0 && rect.height > 0);
    if (!rects.length) continue;
    const own = boxOf(rects[0]);
    const point = placeOf(node, own);
    if (point === null) continue;
    const [label, beside] = labelOf(node);
    const toggles = node.matches("input[type=checkbox], input[type=radio]");
    const besideBox = beside === null ? [] : [union([...beside.getClientRects()].map(boxOf))];
    const isText = node.matches("textarea, input[type=text], input:not([type])") || node.type === "text";
    elements.push({
      tag: node.tagName === "INPUT" ? node.type : (node.closest("svg") ? "svg-" : "") + node.tagName.toLowerCase(),
      name: node.dataset.type || node.dataset.color || node.id || node.className.toString(),
      label, point,
      value: isText || node.type === "password" ? node.value : "",
      checked: Boolean(node.checked),
      focused: document.activeElement === node,
      box: toggles && besideBox.length ? union([own, ...besideBox]) : own,
      parts: [...besideBox, own],
    });
  }

  const words = [], lines = [];
  const pen = document.createElement("canvas").getContext("2d");
  const split = (text, place, top, bottom) => {
    for (const match of text.matchAll(/\\S+/g)) {
      const edges = [place(match.index)];
      for (let at = match.index + 1; at <= match.index + match[0].length; at++) edges.push(place(at));
      if (edges[0] >= 0 && edges.at(-1) <= WIDTH && top >= 0 && bottom <= HEIGHT)
        words.push({text: match[0], edges, top, bottom});
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (outside(parent) || parent.matches("script, style, textarea, option") || !shown(parent)) continue;
    if (!parent.closest("#query")) lines.push(node.data);
    const range = document.createRange();
    for (const match of node.data.matchAll(/\\S+/g)) {
      const rects = [];
      for (let at = match.index; at < match.index + match[0].length; at++) {
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        rects.push(range.getBoundingClientRect());
      }
      const first = rects[0], last = rects.at(-1);
      if (last.right - first.left <= 0 || Math.abs(first.top - last.top) > 2) continue;
      const edges = [first.left, ...rects.map((rect) => rect.right)];
      const [x, y] = [(first.left + last.right) / 2, (first.top + first.bottom) / 2];
      if (edges[0] < 0 || edges.at(-1) > WIDTH || first.top < 0 || first.bottom > HEIGHT) continue;
      if (hits(parent, x, y)) words.push({text: match[0], edges, top: first.top, bottom: first.bottom});
    }
  }
  for (const node of document.querySelectorAll("textarea, input")) {
    if (outside(node) || !shown(node) || !(node.type === "text" || node.tagName === "TEXTAREA")) continue;
    if (!node.value || node.value.includes("\\n")) continue;
    const style = getComputedStyle(node), rect = node.getBoundingClientRect();
    pen.font = `${style.fontSize} ${style.fontFamily}`;
    const left = rect.left + parseFloat(style.borderLeftWidth) + parseFloat(style.paddingLeft);
    const right = rect.right - parseFloat(style.borderRightWidth);
    if (left + pen.measureText(node.value).width > right) continue;
    const height = parseFloat(style.fontSize) * 1.15;
    const top = node.tagName === "TEXTAREA" ? rect.top + parseFloat(style.borderTopWidth)
      + parseFloat(style.paddingTop) : (rect.top + rect.bottom - height) / 2;
    split(node.value, (at) => left + pen.measureText(node.value.slice(0, at)).width, top, top + height);
    lines.push(node.value);
  }
  return {utterance: core.getUtterance(), text: lines.join(" ").replace(/\\s+/g, " ").trim(), elements, words};
})()
"""
