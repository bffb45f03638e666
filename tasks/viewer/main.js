// The page put together: what is shown, how it is moved through, and the run that may still go on.

const data = JSON.parse(byId("data").textContent);
const state = {
  runs: data.runs,
  pairs: [],
  at: -1,
  shown: "before",
  split: 0.5,
  isDifferent: false,
  marks: true,
  isActual: false,
  isRecordOpen: false,
  isFollowing: true,
  query: "",
};
const isTwo = state.runs.length > 1;
const runSteps = (number) => state.runs[number].steps;
const stepsOf = (pair) => pair.steps.map((at, number) => (at === null ? null : runSteps(number)[at]));

const views = state.runs.map((run, number) => new View(isTwo ? ["First run", "Second run"][number] : "Frame"));
const strip = new Strip((at) => show(at));
const detail = h("aside", { class: "detail", "aria-label": "Step", tabindex: "-1" });
const spoken = h("p", { class: "unseen", role: "status" });
const found = h("span", { class: "found", role: "status" });
const tops = { chips: h("div", { class: "chips" }), goal: h("h1") };
const search = h("input", {
  type: "search",
  placeholder: "Search steps",
  "aria-label": "Search steps",
  input: () => setQuery(search.value),
  keydown: (event) => {
    if (event.key === "Escape") (search.value = ""), setQuery(""), search.blur();
    if (event.key === "Enter") search.blur();
  },
});
const shownButtons = [["before", "a"], ["after", "a"], ["slider", "s"]].map(([name, key]) =>
  h("button", { type: "button", title: `${name} (${key})`, click: () => setShown(name) }, name),
);
const flagButtons = {};
for (const [flag, words, title] of [
  ["isDifferent", "difference", "what differs (d)"],
  ["marks", "marks", "cross, box and heat (o)"],
  ["isActual", "1:1", "real size (z)"],
]) {
  flagButtons[flag] = h("button", { type: "button", title, click: () => setFlag(flag) }, words);
}

function build() {
  const tools = h(
    "div",
    { class: "tools", role: "toolbar", "aria-label": "Frame" },
    h("div", { class: "group", role: "group", "aria-label": "Picture" }, shownButtons),
    Object.values(flagButtons),
    h("span", { class: "space" }),
    isTwo && button("Difference before (p)", { click: () => seek(-1) }, "\u2039"),
    isTwo && button("Next difference (n)", { class: "wide", click: () => seek(1) }, "next difference \u203a"),
    button("Step before (left arrow)", { click: () => move(-1) }, "\u2190"),
    button("Next step (right arrow)", { click: () => move(1) }, "\u2192"),
  );
  const top = h(
    "header",
    { class: "top" },
    h("div", { class: "mark", "aria-hidden": "true" }, svg("svg", { viewBox: "0 0 16 16" }, svg("path", { d: ICONS.moon }))),
    h("div", { class: "title" }, tops.goal, tops.chips),
    h("label", { class: "search" }, icon("search"), search, found, h("kbd", { "aria-hidden": "true" }, "/")),
    button("About the run (i)", { class: "icon", click: () => openDialog(aboutRun()) }, icon("info")),
    button("Dark or light (t)", { class: "icon theme", click: turnTheme }, icon("sun"), icon("moon")),
    button("Keys (?)", { class: "icon", click: () => openDialog(aboutKeys()) }, icon("help")),
  );
  const frames = h("div", { class: isTwo ? "frames two" : "frames" }, views.map((view) => view.root));
  const main = h("main", {}, h("div", { class: "middle" }, tools, frames), detail);
  byId("app").replaceChildren(top, strip.root, main, spoken);
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", () => show(fromHash() ?? state.at));
}

function show(at) {
  if (!state.pairs.length) return;
  state.at = clamp(at, 0, state.pairs.length - 1);
  state.isFollowing = state.at === state.pairs.length - 1;
  const pair = state.pairs[state.at];
  const steps = stepsOf(pair);
  strip.mark(state.at);
  const cards = steps.flatMap((step, number) => [
    isTwo && h("h2", { class: "which" }, state.runs[number].name),
    detailOf(step, number === 0 ? pair.differences : []),
  ]);
  const comparison = isTwo && comparisonOf(steps, state.runs.map((run) => run.name));
  detail.replaceChildren(...[comparison, ...cards].filter(Boolean));
  detail.scrollTop = 0;
  const first = steps.find(Boolean);
  spoken.textContent = `Step ${first.number} of ${state.pairs.length}: ${first.words}, ${OUTCOMES[first.outcome]}`;
  rememberPlace(first.number);
  return draw();
}

async function draw() {
  if (state.at < 0) return;
  shownButtons.forEach((each) => each.setAttribute("aria-pressed", each.textContent === state.shown));
  for (const [flag, each] of Object.entries(flagButtons)) each.setAttribute("aria-pressed", state[flag]);
  const steps = stepsOf(state.pairs[state.at]);
  const others = isTwo ? [steps[1], steps[0]] : [null, null];
  await Promise.all(views.map((view, number) => view.show(steps[number], others[number], isTwo ? state.runs[number].name : "")));
  if (state.isActual) views.forEach((view) => view.images && view.center());
  lookAhead(state.at);
}

// The neighbours are decoded while nothing else is to be done.
function lookAhead(at) {
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  idle(() => {
    if (at !== state.at) return;
    for (const pair of [state.pairs[at + 1], state.pairs[at - 1]]) {
      for (const step of pair ? stepsOf(pair) : []) if (step) decode(step.before.sha256).catch(() => {});
    }
  });
}

function move(by) {
  const shown = state.pairs.map((_, at) => at).filter(isFound);
  if (!shown.length) return;
  const here = by > 0 ? shown.findLastIndex((at) => at <= state.at) : shown.findIndex((at) => at >= state.at);
  const from = here < 0 ? (by > 0 ? -1 : shown.length) : here;
  show(shown[clamp(from + by, 0, shown.length - 1)]);
}

// To the next step that stands out: that differs from the other run's, or that did not do what it should.
function seek(by) {
  const standsOut = (pair) => (isTwo ? pair.differences.some(isGrave) : stepsOf(pair)[0].outcome !== "good");
  for (let at = state.at + by; at >= 0 && at < state.pairs.length; at += by) {
    if (standsOut(state.pairs[at]) && isFound(at)) return show(at);
  }
  spoken.textContent = isTwo ? "No other step differs" : "No other step stands out";
}

function setShown(name) {
  state.shown = name;
  draw();
}

function setSplit(share) {
  state.split = clamp(share, 0, 1);
  if (state.shown !== "slider") return setShown("slider");
  views.forEach((view) => view.images && view.setSplit());
}

function setFlag(name) {
  state[name] = !state[name];
  draw();
}

let wordsOfPairs = [];
function isFound(at) {
  if (!state.query) return true;
  wordsOfPairs[at] ??= stepsOf(state.pairs[at]).filter(Boolean).map(searchable).join(" ");
  return state.query.split(/\s+/).every((word) => wordsOfPairs[at].includes(word));
}

function searchable(step) {
  const { before, after, fingerprint, action_01, ...told } = step;
  return `${JSON.stringify(Object.values(told))} ${OUTCOMES[step.outcome]} step ${step.number}`.toLowerCase();
}

function setQuery(words) {
  state.query = words.trim().toLowerCase();
  strip.filter(isFound);
  const hits = state.pairs.map((_, at) => at).filter(isFound);
  found.textContent = state.query ? `${hits.length} of ${state.pairs.length}` : "";
  if (state.query && hits.length && !hits.includes(state.at)) show(hits.find((at) => at > state.at) ?? hits[0]);
}

function openSearch() {
  search.focus();
  search.select();
}

function turnTheme() {
  const isDark = getComputedStyle(document.documentElement).colorScheme.trim() === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  setTheme(isDark ? "light" : "dark");
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem("moonhand-theme", name);
  } catch {} // a browser may keep nothing of files
}

const fromHash = () => {
  const number = Number(new URLSearchParams(location.hash.slice(1)).get("step"));
  const at = state.pairs.findIndex((pair) => stepsOf(pair).some((step) => step?.number === number));
  return number && at >= 0 ? at : null;
};

let placing = 0;
function rememberPlace(number) {
  clearTimeout(placing); // browsers refuse an address that changes many times a second
  placing = setTimeout(() => history.replaceState(null, "", `#step=${number}`), 150);
}

function pairUp() {
  state.pairs = data.pairs ?? runSteps(0).map((_, at) => ({ steps: [at], differences: [] }));
}

function showNothing() {
  const [run] = state.runs;
  const words = run.is_live ? "The run has begun. Its first step will show here." : "This run has no steps.";
  views.forEach((view) => view.showHole(words));
  detail.replaceChildren(h("div", { class: "card quiet" }, run.error || words));
}

function begin() {
  let theme = null;
  try {
    theme = localStorage.getItem("moonhand-theme");
  } catch {}
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  data.pictures.forEach((picture) => pictures.set(picture.name, picture));
  pairUp();
  build();
  drawTop();
  strip.grow();
  const isLive = state.runs[0].is_live;
  if (isLive) listen();
  if (!state.pairs.length) showNothing();
  const shown = isLive ? null : show(fromHash() ?? 0);
  Promise.resolve(shown).then(() => requestAnimationFrame(() => (document.documentElement.dataset.shownMs = Math.round(performance.now()))));
}

begin();
