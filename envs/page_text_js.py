"""The scripts that say which words a page shows, and what the element at a place holds. They run in our own world."""

from __future__ import annotations

# Called with a document or a closed shadow root as `this` and what of its window can be seen, CSS px: pieces as
# [text, left, top, width, height, showing, joins], the frames in it, and what may have a closed shadow root, each with
# what of it can be seen.
SHOWN_JS = r"""
function (clip, most) {
  // A form's own names (an <input name="childNodes">) stand in for its properties, but not for the prototypes'.
  const property = (type, name) => {
    const get = Object.getOwnPropertyDescriptor(type.prototype, name).get;
    return (node) => get.call(node);
  };
  const method = (type, name) => (node, ...given) => type.prototype[name].apply(node, given);
  const nodesOf = property(Node, "childNodes"), firstOf = property(Node, "firstChild");
  const tagOf = property(Element, "localName"), shadowOf = property(Element, "shadowRoot");
  const boxOf = method(Element, "getBoundingClientRect"), check = method(Element, "checkVisibility");
  const rootOf = method(Node, "getRootNode"), contains = method(Node, "contains");
  const isDrawn = (element) => check(element, {opacityProperty: true, visibilityProperty: true});
  const UNREAD = new Set(["script", "style", "template", "noscript", "head", "object", "embed", "video", "audio",
    "canvas", "title", "desc"]);
  const BUTTONS = {submit: "Submit", reset: "Reset", button: ""};
  const UNWRITTEN = new Set(["checkbox", "radio", "hidden", "image", "range", "color", "file", "date", "time",
    "datetime-local", "month", "week", "password", ...Object.keys(BUTTONS)]);
  const MOST_LOOKS = 3000;  // at what lies over a place
  const pieces = [], frames = [], hosts = [], whole = {left: clip[0], top: clip[1], right: clip[2], bottom: clip[3]};
  let left = most, looks = MOST_LOOKS, joins = false;

  const cut = (one, other) => ({left: Math.max(one.left, other.left), top: Math.max(one.top, other.top),
    right: Math.min(one.right, other.right), bottom: Math.min(one.bottom, other.bottom)});
  const area = (one) => Math.max(0, one.right - one.left) * Math.max(0, one.bottom - one.top);
  const isIn = (box, clip) => area(box) > 0 && area(cut(box, clip)) >= area(box) / 2;

  // Whether something opaque lies over a place of an element. What lets the pointer through is looked through.
  const isOpaque = (one) => {
    if (!isDrawn(one)) return false;
    if (["img", "video", "canvas", "iframe"].includes(tagOf(one))) return true;
    const {opacity, backgroundColor: colour} = getComputedStyle(one);
    const alpha = colour.match(colour.startsWith("rgba(") ? /,\s*([\d.]+)\)$/ : /\/\s*([\d.]+)\)$/)?.[1] ?? 1;
    return opacity * alpha >= 0.95;
  };
  const isCovered = (owner, box) => {
    if (looks <= 0 || getComputedStyle(owner).pointerEvents === "none") return false;
    looks -= 1;
    const root = rootOf(owner);
    const over = root.elementsFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
    if (!over.length) return false;
    for (const one of over) {
      if (one === owner || contains(owner, one) || contains(one, owner) || one === root.host) return false;
      if (isOpaque(one)) return true;
    }
    return false;
  };

  const put = (text, box, showing) => {
    if (!text.trim() && showing === "shown") { if (text) joins = joins && !/\s/.test(text); return; }
    left -= text.length;
    pieces.push([text, box.left, box.top, box.right - box.left, box.bottom - box.top, showing, joins]);
    joins = true;
  };
  const showingOf = (owner, box, clip) => !isIn(box, clip) ? "outside" : isCovered(owner, box) ? "covered" : "shown";
  const around = (boxes) => boxes.reduce((one, other) => ({left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top), right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom)}));
  const drawn = (rects) => [...rects].filter((rect) => rect.width > 0 && rect.height > 0);

  const putText = (node, owner, clip, isShown) => {
    const range = new Range();
    range.selectNodeContents(node);
    const rects = isShown ? drawn(range.getClientRects()) : [];
    if (!rects.length) {
      if (node.data.trim()) put(node.data, {left: 0, top: 0, right: 0, bottom: 0}, "hidden");
      else if (node.data && isShown) put(" ", {}, "shown");
      return;
    }
    const states = new Set(rects.map((rect) => showingOf(owner, rect, clip)));
    if (states.size === 1) return put(node.data, around(rects), [...states][0]);
    for (const word of node.data.matchAll(/\s*\S+\s*/g)) {  // some of its lines are seen, others not
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const its = drawn(range.getClientRects());
      if (its.length) put(word[0], around(its), showingOf(owner, around(its), clip));
    }
  };

  const putWhole = (element, text, clip) => {  // what is no text node of the page
    joins = false;
    if (text) {
      const box = boxOf(element);
      put(text, box, isDrawn(element) && area(box) ? showingOf(element, box, clip) : "hidden");
    }
    joins = false;
  };
  const fieldText = (field) => {
    if (field.type in BUTTONS) return field.value || (field.hasAttribute("value") ? "" : BUTTONS[field.type]);
    if (UNWRITTEN.has(field.type)) return "";
    const isDisc = (getComputedStyle(field).webkitTextSecurity || "none") !== "none";
    return isDisc && field.value ? "" : field.value || field.placeholder || "";
  };

  // `clips`: what can be seen of things in the flow, of absolute ones and of fixed ones; `isGone`: nothing at all.
  const walk = (node, owner, clips, isShown) => {
    if (left <= 0) return;
    if (node instanceof Text) return putText(node, owner, clips.flow, isShown);
    if (!(node instanceof Element)) return;
    const tag = tagOf(node);
    if (tag === "br" || tag === "wbr") { joins = joins && tag === "wbr"; return; }
    if (UNREAD.has(tag)) return;
    const style = getComputedStyle(node), hasBox = style.display !== "contents";
    const isInline = ["inline", "contents", "ruby", "ruby-text"].includes(style.display);
    isShown = !clips.isGone && (hasBox ? isDrawn(node) : isShown && style.visibility === "visible");
    const clip = style.position === "fixed" ? clips.fixed : style.position === "absolute" ? clips.absolute : clips.flow;
    if (!isInline) joins = false;
    if (tag === "iframe" || tag === "frame") {
      if (isShown) {
        const box = boxOf(node);
        const x = box.left + node.clientLeft + parseFloat(style.paddingLeft);
        const y = box.top + node.clientTop + parseFloat(style.paddingTop);
        const inside = {left: x, top: y, right: box.right - parseFloat(style.borderRightWidth)
          - parseFloat(style.paddingRight), bottom: box.bottom - parseFloat(style.borderBottomWidth)
          - parseFloat(style.paddingBottom)};
        const seen = cut(inside, clip);
        const isSeen = area(seen) && !isCovered(node, seen);
        frames.push({element: node, corner: [x, y],
          clip: isSeen ? [seen.left - x, seen.top - y, seen.right - x, seen.bottom - y] : [0, 0, 0, 0]});
      }
    } else if (tag === "input" || tag === "textarea") {
      putWhole(node, fieldText(node), clip);
    } else {
      const isList = tag === "select";
      if (isList && !node.multiple && node.size < 2)
        putWhole(node, [...node.selectedOptions].map((one) => one.label).join(", "), clip);
      const inner = {...clips, flow: clip};
      if (hasBox && style.display !== "inline") {
        const outer = boxOf(node);
        const box = {left: outer.left + node.clientLeft, top: outer.top + node.clientTop};
        box.right = box.left + node.clientWidth;
        box.bottom = box.top + node.clientHeight;
        const isPage = tag === "html" || tag === "body";
        if (!isPage && style.overflowX !== "visible")
          inner.flow = cut(inner.flow, {...box, top: -Infinity, bottom: Infinity});
        if (!isPage && style.overflowY !== "visible")
          inner.flow = cut(inner.flow, {...box, left: -Infinity, right: Infinity});
      }
      const cutOff = style.clip.match(/^rect\((.*)\)$/)?.[1].split(/[ ,]+/).map(parseFloat);
      const isNothing = cutOff && (cutOff[1] - cutOff[3] <= 1 || cutOff[2] - cutOff[0] <= 1);
      const inset = style.clipPath.match(/^inset\(([\d.]+)%\)$/);
      if ((isNothing && ["absolute", "fixed"].includes(style.position)) || (inset && inset[1] >= 50))
        inner.isGone = true;
      const holdsFixed = ["transform", "filter", "perspective", "backdropFilter", "translate", "scale", "rotate"].some(
        (one) => !["none", ""].includes(style[one] ?? ""));
      if (style.position !== "static" || holdsFixed) inner.absolute = inner.flow;
      if (holdsFixed) inner.fixed = inner.flow;
      const shadow = shadowOf(node), seemsEmpty = () => !firstOf(node) && area(boxOf(node));
      if (isShown && !shadow && (tag.includes("-") || seemsEmpty()))
        hosts.push({element: node, clip: [inner.flow.left, inner.flow.top, inner.flow.right, inner.flow.bottom]});
      const slotted = tag === "slot" ? node.assignedNodes() : [];
      const nodes = slotted.length ? slotted : nodesOf(shadow ?? node);
      const isFolded = tag === "details" && !node.open;  // its own text lies in a slot that is not drawn
      if (isList) {
        for (const one of node.options) if (drawn(one.getClientRects()).length) putWhole(one, one.label, inner.flow);
      } else for (const one of nodes) walk(one, node, inner, isShown && !(isFolded && one instanceof Text));
    }
    if (!isInline) joins = false;
  };

  const owner = this instanceof Document ? null : this.host;
  for (const node of nodesOf(this)) walk(node, owner, {flow: whole, absolute: whole, fixed: whole}, true);
  return {pieces, frames, hosts};
}
"""

# What the element holds, or shows; null for a whole page, and for a field that does not show what it holds.
VALUE_JS = r"""
function () {
  const HIDES = ["cc-number", "cc-csc", "one-time-code", "current-password", "new-password"];
  const LARGEST = 20000;
  const up = (node) => node.parentElement ?? node.getRootNode().host ?? null;
  let found = this instanceof Element ? this : this.parentElement ?? this.getRootNode().host;
  for (let root = found?.getRootNode(); root instanceof ShadowRoot; root = found.getRootNode()) {
    if (!/^(input|textarea|select|video|audio|progress|meter|use|details)$/.test(root.host.localName)) break;
    found = root.host;
  }
  const around = found?.closest("input, textarea, select, progress, meter, label, [contenteditable]") ?? null;
  const field = around?.localName === "label" ? around.control : around;
  if (field) {
    const meant = field.getAttribute("autocomplete") ?? "";
    const isDisc = (getComputedStyle(field).webkitTextSecurity || "none") !== "none";
    if (field.type === "password" || isDisc || HIDES.some((one) => meant.includes(one))) return null;
    switch (field.localName) {
      case "select": return [...field.selectedOptions].map((one) => one.label).join(", ");
      case "input":
        if (["checkbox", "radio"].includes(field.type)) return field.checked ? "checked" : "not checked";
        if (field.type === "file") return [...field.files].map((one) => one.name).join(", ");
        return field.type === "image" ? field.alt : field.value;
      case "textarea": return field.value;
      case "progress": case "meter": return String(field.value);
    }
    if (field.isContentEditable) return field.innerText;
  }
  for (let level = 0; found && level < 4; found = up(found), level += 1) {
    if (found === document.body || found === document.documentElement) return null;
    if (found.localName === "img" && found.alt) return found.alt;
    const text = (found instanceof HTMLElement ? found.innerText : found.textContent) ?? "";
    if (text.length > LARGEST) return null;
    if (text.trim()) return text;
  }
  return null;
}
"""
