"""A page shown in an open browser, and where everything on it that has a name lies: boxes, words, characters.

Pages mark their elements: `data-mark` is the place of a `Mark` in the page's list, `data-fit` says that only the
element's text counts, `data-point` inside it is the part to click, `data-part` names the mark that another element
belongs to (a field's label), `data-behind` a part of the page that an open dialog keeps from being used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs import BrowserEnv
from ..screens.samples import Box, Control, Word
from ..vocabulary import Kind

# The page is shown in a frame of its own size at the top left corner, which is its viewport.
MEASURE_JS = """
(async () => {
  const frame = document.createElement("iframe");
  const [W, H] = [%(width)d, %(height)d];
  frame.style.cssText = `position:fixed;left:0;top:0;border:0;width:${W}px;height:${H}px`;
  frame.srcdoc = %(html)s;
  const loaded = new Promise((resolve) => { frame.onload = resolve; });
  document.body.style.margin = "0";
  document.body.replaceChildren(frame);
  await loaded;
  const page = frame.contentDocument, view = frame.contentWindow;
  await page.fonts.ready;

  const styles = new Map();
  const styled = (element) => {
    if (!styles.has(element)) styles.set(element, view.getComputedStyle(element));
    return styles.get(element);
  };
  const meet = (a, b) => [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];
  const edges = (rect) => [rect.left, rect.top, rect.right, rect.bottom];
  const whole = [0, 0, W, H];
  const clips = new Map();
  const clip = (element) => {  // what the ancestors that hide their overflow let through
    if (!element || element === page.body || element === page.documentElement) return whole;
    if (!clips.has(element)) {
      const outer = styled(element).position === "fixed" ? whole : clip(element.parentElement);
      const hides = styled(element).overflowX !== "visible";
      clips.set(element, hides ? meet(outer, edges(element.getBoundingClientRect())) : outer);
    }
    return clips.get(element);
  };
  const within = (box, room) =>
    box[0] >= room[0] - 1 && box[1] >= room[1] - 1 && box[2] <= room[2] + 1 && box[3] <= room[3] + 1;
  const onTop = (element, x, y) => {
    const top = page.elementFromPoint(x, y);
    return top && (top === element || element.contains(top) || top.contains(element));
  };
  const union = (rects) => rects.length === 0 ? [0, 0, 0, 0] : [
    Math.min(...rects.map((r) => r.left)), Math.min(...rects.map((r) => r.top)),
    Math.max(...rects.map((r) => r.right)), Math.max(...rects.map((r) => r.bottom))];
  const textRects = (element) => {
    const range = page.createRange();
    range.selectNodeContents(element);
    return [...range.getClientRects()].filter((rect) => rect.width > 0);
  };
  const shown = (element, box) => {
    const [width, height] = [box[2] - box[0], box[3] - box[1]];
    if (width < 5 || height < 5 || !within(box, meet(whole, clip(element.parentElement)))) return false;
    return [[0.5, 0.5], [0.15, 0.5], [0.85, 0.5], [0.5, 0.2], [0.5, 0.8]].every(
      ([x, y]) => onTop(element, box[0] + width * x, box[1] + height * y));
  };

  const readable = (element) => {  // whether no letter is cut off
    const rects = element.tagName === "SELECT" ? [] : textRects(element);
    return rects.length === 0 || within(union(rects), meet(whole, clip(element)));
  };

  const marks = [];
  for (const element of page.querySelectorAll("[data-mark]")) {
    const fit = element.dataset.fit !== undefined;
    const rects = fit ? textRects(element) : [...element.getClientRects()];
    const box = union(rects);
    const lines = new Set(rects.map((rect) => Math.round(rect.bottom / 6))).size;
    if (fit && box[3] - box[1] > 1.7 * parseFloat(styled(element).fontSize) && lines > 1) continue;
    if (!fit && styled(element).display === "inline" && rects.length > 1) continue;
    if (element.closest("[data-behind]") || !shown(element, box)) continue;
    const named = [...page.querySelectorAll(`[data-part="${element.dataset.mark}"]`)];
    if ([element, ...named].some((one) => !readable(one))) continue;
    const press = element.querySelector("[data-point]");
    const at = press ? edges(press.getBoundingClientRect()) : box;
    const parts = named.map((part) => union(textRects(part)));
    marks.push([Number(element.dataset.mark), box, [(at[0] + at[2]) / 2, (at[1] + at[3]) / 2], parts]);
  }

  const words = [];
  const keep = (element, text, box, edgesX) => {
    const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const room = meet(whole, clip(element));
    if (x <= room[0] || x >= room[2] || y <= room[1] || y >= room[3] || !within([box[0], y, box[2], y], room)) return;
    if (onTop(element, x, y)) words.push([text, box, edgesX]);
  };
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  const range = page.createRange();
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!parent || !node.data.trim() || ["STYLE", "OPTION", "TEXTAREA", "TITLE"].includes(parent.tagName)) continue;
    for (const match of node.data.matchAll(/[^\\s\\u00a0]+/g)) {
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const rects = [...range.getClientRects()].filter((rect) => rect.width > 0);
      if (rects.length !== 1) continue;
      const places = [rects[0].left];
      for (let at = 1; at < match[0].length; at++) {
        range.setStart(node, match.index + at);
        range.setEnd(node, match.index + at + 1);
        places.push(range.getBoundingClientRect().left);
      }
      places.push(rects[0].right);
      keep(parent, match[0], edges(rects[0]), places);
    }
  }
  const pen = page.createElement("canvas").getContext("2d");
  for (const entry of page.querySelectorAll("input")) {
    if (!["text", "search", "email"].includes(entry.type)) continue;
    const style = styled(entry), rect = entry.getBoundingClientRect(), text = entry.value || entry.placeholder;
    const [before, after] = [parseFloat(style.paddingLeft), parseFloat(style.paddingRight)];
    pen.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const left = rect.left + parseFloat(style.borderLeftWidth) + before, size = pen.measureText(text);
    const [up, down] = [size.fontBoundingBoxAscent, size.fontBoundingBoxDescent];
    const [over, under] = [parseFloat(style.borderTopWidth), parseFloat(style.borderBottomWidth)];
    const middle = (rect.top + over + rect.bottom - under) / 2;
    for (const match of text.matchAll(/\\S+/g)) {
      const places = [...Array(match[0].length + 1).keys()].map(
        (at) => left + pen.measureText(text.slice(0, match.index + at)).width);
      const end = places[places.length - 1];
      if (end > rect.right - after) break;
      keep(entry, match[0], [places[0], middle - (up + down) / 2, end, middle + (up + down) / 2], places);
    }
  }
  const said = [...page.querySelectorAll("input,textarea")].flatMap((entry) => [entry.value, entry.placeholder]);
  const lines = [];
  walker.currentNode = page.body;
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (parent && parent.tagName !== "STYLE" && text) lines.push(text);
  }
  const seen = (element) => {
    const box = meet(edges(element.getBoundingClientRect()), meet(whole, clip(element.parentElement)));
    return box[2] - box[0] > 1 && box[3] - box[1] > 1;
  };
  const partly = [...page.querySelectorAll("[data-mark]")].filter(seen).map((element) => Number(element.dataset.mark));
  const icons = [...page.querySelectorAll("svg[data-icon]")].map((element) => element.dataset.icon);
  return { marks, words, partly, icons, texts: [...lines, ...said.filter((text) => text && text.trim())] };
})()
"""


@dataclass(frozen=True)
class Mark:
    """What a page says about an element that can be asked for.

    `label` is its own text, the text beside it, or the meaning of its icon; "" if it has none that can be seen.
    `group` names the list of like elements that it is a member of.
    """

    kind: Kind
    label: str
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Markup:
    """A page to be shown at exactly this viewport, in CSS px, and what its marks stand for."""

    html: str
    width_px: int
    height_px: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True, eq=False)
class Shown:
    """A page as the browser drew it (uint8 RGB).

    `marked` are the marks that can be seen whole and be used, each with its control; `partly` those of which anything
    can lie in view; `all_marks` those out of view too. `words` is what can be read; `texts` every run of text in the
    page and `icons` the name of every icon drawn, seen or not.
    """

    pixels_HW3: NDArray[np.uint8] = field(repr=False)
    marked: tuple[tuple[Mark, Control], ...]
    partly: tuple[Mark, ...]
    all_marks: tuple[Mark, ...]
    words: tuple[Word, ...]
    texts: tuple[str, ...]
    icons: tuple[str, ...]


class Marker:
    """Collects the marks of a page while its HTML is written."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []

    def mark(self, kind: Kind, label: str, group: str = "") -> str:
        """The attribute that marks an element."""
        self.marks.append(Mark(kind, label, group))
        return f" data-mark={len(self.marks) - 1}"

    def text(self, label: str, *, tag: str = "span", style: str = "", kind: Kind = "text", group: str = "") -> str:
        """A line of text that can be asked for, whatever room its element takes."""
        return f"<{tag}{self.mark(kind, label, group)} data-fit style='{style}'>{escape(label)}</{tag}>"

    @property
    def last(self) -> int:
        """The number of the latest mark, for `data-part`."""
        return len(self.marks) - 1


def show(env: BrowserEnv, page: Markup) -> Shown:
    """Put a page into an open browser, whose viewport must not be smaller, and measure it."""
    numbers = {"width": page.width_px, "height": page.height_px, "html": json.dumps(page.html)}
    found: dict[str, Any] = env.evaluate(MEASURE_JS % numbers)
    pixels_HW3 = np.ascontiguousarray(env.observe().pixels_HW3[: page.height_px, : page.width_px])
    marked: list[tuple[Mark, Control]] = []
    for at, box, point, parts in found["marks"]:
        mark = page.marks[at]
        whole = tuple(_box(part) for part in (box, *parts))
        marked.append((mark, Control(mark.kind, mark.label, whole[0], (point[0], point[1]), whole)))
    words = tuple(
        Word(text, _box(box), tuple(edges))
        for text, box, edges in found["words"]
        if text.isascii() and text.isprintable()
    )
    partly = tuple(page.marks[at] for at in found["partly"])
    return Shown(pixels_HW3, tuple(marked), partly, page.marks, words, tuple(found["texts"]), tuple(found["icons"]))


def _box(numbers: Sequence[float]) -> Box:
    left, top, right, bottom = numbers
    return left, top, right, bottom
