// What each key does, in one table that the help is made of too.

const KEYS = [
  ["\u2192", "j", "next step", () => move(1)],
  ["\u2190", "k", "step before", () => move(-1)],
  ["PageDown", "", "ten steps on", () => move(10)],
  ["PageUp", "", "ten steps back", () => move(-10)],
  ["Home", "", "first step", () => move(-Infinity)],
  ["End", "", "last step", () => move(Infinity)],
  ["a", "", "before or after", () => setShown(state.shown === "after" ? "before" : "after")],
  ["s", "", "slider between before and after", () => setShown(state.shown === "slider" ? "before" : "slider")],
  ["[", "", "slider to the left", () => setSplit(state.split - 0.05)],
  ["]", "", "slider to the right", () => setSplit(state.split + 0.05)],
  ["d", "", "what differs", () => setFlag("isDifferent")],
  ["n", "", "next step that differs, or that failed", () => seek(1)],
  ["p", "", "the one before", () => seek(-1)],
  ["o", "", "cross, box and heat on or off", () => setFlag("marks")],
  ["z", "", "whole picture or its real size", () => setFlag("isActual")],
  ["/", "", "search", () => openSearch()],
  ["i", "", "about the run", () => openDialog(aboutRun())],
  ["t", "", "dark or light", () => turnTheme()],
  ["?", "", "these keys", () => openDialog(aboutKeys())],
];
const ARROWS = { ArrowRight: "\u2192", ArrowLeft: "\u2190", ArrowDown: "\u2192", ArrowUp: "\u2190" };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  const target = event.target;
  if (target instanceof HTMLInputElement) return;
  const isScrolling = target instanceof Element && target.closest("pre, .detail") && /^(Arrow(Up|Down)|Page|Home|End)/.test(event.key);
  if (isScrolling) return;
  const pressed = ARROWS[event.key] ?? (event.key.length === 1 ? event.key.toLowerCase() : event.key);
  const found = KEYS.find(([key, twin]) => key === pressed || (twin && twin === pressed));
  if (!found) return;
  event.preventDefault();
  found[3]();
}

function aboutKeys() {
  const rows = KEYS.map(([key, twin, words]) => [
    h("dt", {}, h("kbd", {}, key), twin && [" ", h("kbd", {}, twin)]),
    h("dd", {}, words),
  ]);
  const colours = Object.entries(OUTCOMES).map(([kind, words]) => h("li", {}, chip(words, kind)));
  return ["Keys", h("dl", { class: "keys" }, rows), h("ul", { class: "colours", "aria-label": "Colours of a step" }, colours), h("p", { class: "quiet" }, "A link that ends in #step=7 opens at step 7.")];
}

function openDialog([title, ...content]) {
  const dialog = h("dialog", { "aria-label": title, close: () => dialog.remove() });
  const close = () => dialog.close();
  dialog.append(
    h("header", {}, h("h2", {}, title), button("Close", { class: "quiet", click: close }, "\u00d7")),
    h("div", { class: "content" }, content),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  document.body.append(dialog);
  dialog.showModal();
}
