"""The script that hears what a person does in a page, and tells it to us alone."""

from __future__ import annotations

from .page_element import ELEMENT_JS

LISTEN_WORLD = "moonhand-listener"  # a world of its own: the page sees neither the script nor whom it tells
TELL = "moonhandTell"  # a binding that is there in that world alone
FILES = "moonhandFiles"  # the files chosen last, in that world

_LISTEN_JS = """
(() => {
  const tell = globalThis.TELL;
  if (!tell || globalThis.moonhandListens) return;
  globalThis.moonhandListens = true;
  const isTop = self === top, origin = performance.timeOrigin, key = Math.random().toString(36).slice(2);
  const describe = ELEMENT;
  const BUTTONS = ["left", "middle", "right"];
  const PICKED = ["date", "datetime-local", "month", "week", "time", "color"];
  const NOT_TYPED = ["button", "checkbox", "color", "file", "hidden", "image", "radio", "range", "reset", "submit"];
  const PASSWORDS = /(^|\\s)(current-password|new-password|one-time-code|cc-csc)(\\s|$)/;
  const secrets = new WeakSet(), lists = new WeakMap(), keyed = new WeakSet(), had = new WeakMap();
  let numLists = 0, movedAt = -Infinity, waiting = null, bar = null, dragging = null, secretAt = null, last = null;

  const say = (kind, at, more) => {
    const page = isTop ? {url: location.href, title: document.title} : {};
    tell(JSON.stringify({kind, at: origin + at, frame: key, isTop, ...page, ...more}));
  };
  const flush = () => { const one = waiting; waiting = null; if (one) say(...one); };
  const hit = (event) => {
    const node = event.composedPath()[0];
    return node instanceof Element ? node : node && node.parentElement || document.documentElement;
  };
  const about = (element) => {
    try { return element ? describe.call(element) : null; } catch { return null; }
  };
  const modifiers = (event) => {
    const altGraph = event.getModifierState("AltGraph");
    return [["ctrl", event.ctrlKey && !altGraph], ["shift", event.shiftKey], ["alt", event.altKey && !altGraph],
      ["meta", event.metaKey]].filter(([, held]) => held).map(([name]) => name);
  };
  const listOf = (node) => {
    if (!(node instanceof Element)) return null;
    const list = node.closest("select");
    if (!list || list.multiple || list.size > 1) return null;
    if (!lists.has(list)) lists.set(list, `${key}/${numLists++}`);
    return [lists.get(list), list];
  };
  const listId = (node) => { const found = listOf(node); return found ? found[0] : null; };
  const middle = (element) => {
    const box = element.getBoundingClientRect();
    return {x: box.left + box.width / 2, y: box.top + box.height / 2};
  };
  const isSecret = (node) => {
    if (!(node instanceof HTMLInputElement || node instanceof HTMLTextAreaElement)) return false;
    if (secrets.has(node)) return true;
    const style = getComputedStyle(node).webkitTextSecurity;
    const dotted = style && style !== "none";
    if (node.type !== "password" && !PASSWORDS.test(node.getAttribute("autocomplete") || "") && !dotted) return false;
    secrets.add(node);
    // What is shown after "show password" would be in the pictures.
    node.style.setProperty("-webkit-text-security", "disc", "important");
    return true;
  };
  const secretName = (node) => {
    const said = node.name || node.id || node.getAttribute("autocomplete") || "password";
    return said.replace(/[^A-Za-z0-9_.-]+/g, "_").slice(0, 60);
  };
  const isEditable = (node) => node instanceof HTMLTextAreaElement || node instanceof HTMLElement
    && node.isContentEditable || node instanceof HTMLInputElement && !NOT_TYPED.includes(node.type);
  const isShut = (node) => node instanceof HTMLElement && !node.shadowRoot && !isEditable(node)
    && node.localName.includes("-");  // keys in it may go to a field in a closed shadow root
  const pointer = (kind, event, more) => say(kind, event.timeStamp, {
    x: event.clientX, y: event.clientY, sx: event.screenX, sy: event.screenY, modifiers: modifiers(event), ...more});

  const barUnder = (event) => {  // a scroll bar: of its release a page is not told
    const node = event.target;
    if (!(node instanceof Element)) return null;
    const root = document.documentElement;
    if (node === root) {
      const on = event.clientX >= root.clientWidth || event.clientY >= root.clientHeight;
      return on ? document.scrollingElement || root : null;
    }
    const box = node.getBoundingClientRect();
    const x = event.clientX - box.left - node.clientLeft, y = event.clientY - box.top - node.clientTop;
    const right = node.scrollHeight > node.clientHeight && x >= node.clientWidth && x < node.offsetWidth;
    const below = node.scrollWidth > node.clientWidth && y >= node.clientHeight && y < node.offsetHeight;
    return (right || below) && node.clientWidth > 0 ? node : null;
  };
  const leaveBar = () => {
    if (!bar) return;
    const {node, left, top, event} = bar, dx = node.scrollLeft - left, dy = node.scrollTop - top;
    bar = null;
    if (dx || dy) pointer("wheel", event, {dx, dy, mode: 0});
  };

  const hear = {
    pointerdown(event) {
      flush();
      leaveBar();
      last = event;
      const node = barUnder(event);
      if (node) { bar = {node, left: node.scrollLeft, top: node.scrollTop, event}; return; }
      const target = hit(event);
      isSecret(target);
      dragging = null;
      pointer("down", event, {button: BUTTONS[event.button] || "", list: listId(target), element: about(target)});
    },
    pointerup(event) {
      if (bar) return leaveBar();
      pointer("up", event, {button: BUTTONS[event.button] || "", list: listId(hit(event))});
    },
    pointermove(event) {
      if (bar && event.buttons === 0) leaveBar();
      if (event.timeStamp - movedAt < 15) return;
      movedAt = event.timeStamp;
      pointer("move", event);
    },
    dragstart(event) { dragging = event; },
    dragover(event) {
      if (event.timeStamp - movedAt < 15) return;
      movedAt = event.timeStamp;
      pointer("move", event);
    },
    drop(event) { dragging = null; pointer("up", event, {button: "left"}); },
    dragend(event) { if (dragging) pointer("up", event, {button: "left"}); dragging = null; },
    wheel(event) { flush(); pointer("wheel", event, {dx: event.deltaX, dy: event.deltaY, mode: event.deltaMode}); },
    keydown(event) {
      flush();
      leaveBar();
      const target = hit(event), held = modifiers(event), at = event.timeStamp;
      if (event.isComposing || event.keyCode === 229) return;
      if (["Process", "Dead", "Unidentified", "AltGraph", "Compose"].includes(event.key)) return;
      const printable = [...event.key].length === 1 && !held.some((name) => name !== "shift");
      if (isSecret(target) && (printable || /^(Backspace|Delete|Arrow|Home|End)/.test(event.key))) {
        secretAt ??= at;
        return;
      }
      keyed.add(target);
      const editable = isEditable(target), text = printable && (editable || isShut(target)) ? event.key : "";
      const list = event.key === "Tab" ? null : listId(target);
      const told = ["key", at, {key: event.key, text, modifiers: held, list, element: about(target),
        shut: isShut(target)}];
      if (!text) return say(...told);
      waiting = told;  // what arrives may be another text
      setTimeout(() => { if (waiting === told) flush(); }, 40);
    },
    keyup() { flush(); },  // of a modifier too: what the browser itself did with it, as ctrl+w, is not told
    beforeinput(event) {
      const target = hit(event);
      if (isSecret(target)) return;
      const {inputType, data} = event, element = about(target), shut = isShut(target);
      const arrived = (how, text) => text && say("text", event.timeStamp, {how, text, element, shut});
      if (inputType === "insertText") {
        if (!waiting) return arrived("typed", data);
        if (data) waiting[2].text = data;
        flush();
      } else if (inputType === "insertFromPaste" || inputType === "insertFromYank") {
        flush();
        arrived("pasted", data ?? (event.dataTransfer ? event.dataTransfer.getData("text/plain") : ""));
      } else if (inputType === "insertReplacementText") {
        flush();
        const isField = target instanceof HTMLInputElement;
        const text = data ?? (event.dataTransfer ? event.dataTransfer.getData("text/plain") : "");
        if (isField) arrived("replaced", text); else arrived("typed", text);
      }
    },
    compositionend(event) {
      const target = hit(event);
      if (event.data && !isSecret(target)) {
        flush();
        say("text", event.timeStamp, {how: "typed", text: event.data, element: about(target), shut: isShut(target)});
      }
    },
    focusin(event) {
      const target = hit(event);
      keyed.delete(target);
      secretAt = null;
      if (isSecret(target)) had.set(target, target.value.length > 0);
    },
    input(event) {
      const target = hit(event), list = listOf(target), at = event.timeStamp;
      if (isSecret(target)) {
        const more = {name: secretName(target), clear: had.get(target) === true, element: about(target)};
        say("secret", secretAt ?? at, more);
        secretAt = at;
      } else if (list && target instanceof HTMLSelectElement) {
        const chosen = target.selectedOptions[0], option = chosen ? chosen.label.trim().replace(/\\s+/g, " ") : "";
        say("option", at, {option, list: list[0], element: about(target), ...middle(target)});
      }
    },
    change(event) {
      const target = hit(event), at = event.timeStamp;
      if (!(target instanceof HTMLInputElement) || isSecret(target)) return;
      if (target.type === "file") {
        globalThis.FILES = [...target.files];
        say("files", at, {names: [...target.files].map((file) => file.name)});
      } else if (PICKED.includes(target.type) && !keyed.has(target)) {  // in a pop-up, whose clicks no page is told
        if (!lists.has(target)) lists.set(target, `${key}/${numLists++}`);
        const option = target.value, list = lists.get(target);
        say("option", at, {option, list, element: about(target), ...middle(target)});
      }
    },
  };
  const capture = {capture: true, passive: true};
  const trusted = (handle) => (event) => { if (event.isTrusted) handle(event); };
  const hears = Object.entries(hear).map(([kind, handle]) => [kind, trusted(handle)]);
  const attach = () => {  // again is harmless, and needed after document.open()
    for (const [kind, handle] of hears) addEventListener(kind, handle, capture);
  };
  attach();
  new MutationObserver(attach).observe(document, {childList: true});
  if (isTop) {
    const [entry] = performance.getEntriesByType("navigation");
    say("hello", 0, {navigation: entry ? entry.type : "navigate"});
    const loaded = () => say("loaded", performance.now());
    if (document.readyState === "complete") loaded(); else addEventListener("load", loaded);
  }
})()
"""
LISTEN_JS = (
    _LISTEN_JS.replace("globalThis.TELL", f"globalThis.{TELL}")
    .replace("globalThis.FILES", f"globalThis.{FILES}")
    .replace("ELEMENT", ELEMENT_JS.strip(), 1)
)
"""Tells what happened as JSON, each with `kind`, `at` (ms since the epoch) and what belongs to it. Only events that the
browser itself tells of a person's input are heard (`isTrusted`), before any script of the page hears them."""
