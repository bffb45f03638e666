"""What is done to a page so that what its picture shows is what a click on it reaches."""

from __future__ import annotations

# A native pop-up is drawn, but lets clicks through to what lies under it: one that looks right does something else. As
# `base-select` a list belongs to the page. The pickers of dates, times and colours and the suggestions of a field are
# kept from opening; the fields themselves take keys and, by `SelectOption`, values. `:not(#_#_#_)` outweighs the page.
POP_UP_STYLE = """
select:not([multiple], [size]:not([size=""], [size="0"], [size="1"])):not(#_#_#_),
select:not([multiple], [size]:not([size=""], [size="0"], [size="1"])):not(#_#_#_)::picker(select)
  { appearance: base-select !important }
input:not(#_#_#_)::-webkit-calendar-picker-indicator { display: none !important }
"""
CARET_STYLE = "* { caret-color: transparent !important }"  # which blinks: two looks at an idle page would differ

# An adopted style sheet is not subject to the page's content security policy. It holds for one tree alone: shadow roots
# get it when they are made, those that come with the markup when it is read, and either when they are touched.
STYLE_JS = """
(() => {
  const done = Symbol.for("moonhand");
  if (document[done]) return;
  Object.defineProperty(document, done, {value: true});
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`%(style)s`);
  const dress = (root) => {
    try {
      if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    } catch { }  // it has moved to another document
  };
  for (const kind of [Document, ShadowRoot]) {
    const own = Object.getOwnPropertyDescriptor(kind.prototype, "adoptedStyleSheets");
    Object.defineProperty(kind.prototype, "adoptedStyleSheets", {...own, set(sheets) {
      const others = [...sheets].filter((one) => one !== sheet);
      try { own.set.call(this, [...others, sheet]); } catch { own.set.call(this, others); }
    }});
  }
  const meet = (event) => {
    for (const node of event.composedPath()) if (node instanceof ShadowRoot) arrive(node);
    arrive(document);
    %(guard)s
  };
  const arrive = (root) => {
    dress(root);
    const target = root === document ? window : root;
    for (const kind of ["pointerdown", "mousedown", "click", "focusin", "keydown", "command"])
      target.addEventListener(kind, meet, true);
  };
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = {attachShadow(...given) {
    const root = attach.apply(this, given);
    arrive(root);
    return root;
  }}.attachShadow;
  arrive(document);
  new MutationObserver(() => arrive(document)).observe(document, {childList: true});  // document.write begins anew
  const search = (root) => {
    for (const {shadowRoot} of root.querySelectorAll("*")) if (shadowRoot) { arrive(shadowRoot); search(shadowRoot); }
  };
  document.addEventListener("DOMContentLoaded", () => search(document));
  %(hooks)s
})()
"""
GUARD_JS = """
    const node = event.composedPath()[0];
    if (!hasPicker(node)) return;
    const isKey = event.key === "F4" || (event.altKey && ["ArrowDown", "ArrowUp"].includes(event.key))
      || (event.key === " " && DATES.includes(node.type));
    if (event.type === "keydown" ? isKey : event.type === "click" ? node.type === "color" : event.type === "command")
      event.preventDefault();
"""
HOOKS_JS = """
  const DATES = ["date", "datetime-local", "month", "week", "time"];
  const hasPicker = (node) => node instanceof HTMLInputElement
    && (DATES.includes(node.type) || node.type === "color" || node.list !== null);
  const show = HTMLInputElement.prototype.showPicker;
  HTMLInputElement.prototype.showPicker = {showPicker() { if (!hasPicker(this)) show.call(this); }}.showPicker;
"""


def style_js(*, restyle: bool) -> str:
    """A script for every document that makes it fit to be looked at: `restyle` keeps it from native pop-ups."""
    style = f"{POP_UP_STYLE}{CARET_STYLE}" if restyle else CARET_STYLE
    return STYLE_JS % {"style": style, "guard": GUARD_JS if restyle else "", "hooks": HOOKS_JS if restyle else ""}
