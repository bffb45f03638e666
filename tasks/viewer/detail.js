// Everything known of one step, in words.

const TIMES = ["capture", "model", "asked", "act", "settle"];
const OUTCOMES = {
  good: "done",
  idle: "no effect",
  failed: "failed",
  held: "held back",
};
const CHANGES = {
  changed_near: "changed near the place",
  changed_far: "changed elsewhere",
  no_change: "changed nothing",
  still_moving: "screen still moving",
};
const timesOf = (step) => TIMES.map((name) => Math.max(0, step[`${name}_s`] ?? 0));
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function detailOf(step, differences) {
  if (!step) return h("div", { class: "card quiet" }, "This run has no such step.");
  return h(
    "article",
    { class: "card" },
    headOf(step, differences),
    step.error && section("Error", h("p", { class: "error" }, step.error)),
    step.thought && section("Thought", h("p", { class: "words" }, step.thought)),
    step.reply && section("Raw reply", h("pre", { tabindex: "0" }, step.reply)),
    effectOf(step),
    section("Time", barOf(timesOf(step), `${inTime(sum(timesOf(step)))} in all`), legendOf(timesOf(step))),
    beliefSaid(step),
    elementOf(step),
    healedOf(step),
    approvalOf(step),
    recordOf(step),
  );
}

// Two steps that belong together, row by row where they differ.
function comparisonOf(steps, names) {
  if (!steps.every(Boolean)) return null;
  const facts = (step) => [
    ["action", step.words],
    ["outcome", OUTCOMES[step.outcome]],
    ["error", step.error],
    ["looked for", step.instruction],
    ["reply", step.reply],
    ["sure", Number.isFinite(step.confidence) ? inShare(step.confidence) : null],
    ["screen", CHANGES[step.effect?.change]],
    ["address", step.surroundings?.url],
    ["time", inTime(sum(timesOf(step)))],
  ];
  const [one, other] = steps.map(facts);
  const rows = one.flatMap(([name, value], at) => ((value ?? "") === (other[at][1] ?? "") ? [] : [[name, value, other[at][1]]]));
  if (!rows.length) return null;
  return h(
    "table",
    { "aria-label": "What differs" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "differs"), names.map((name) => h("th", { scope: "col", title: name }, name)))),
    h("tbody", {}, rows.map(([name, a, b]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, a ?? "\u2014"), h("td", {}, b ?? "\u2014")))),
  );
}

function headOf(step, differences) {
  const sure = step.confidence;
  return [
    h("p", { class: "kicker" }, `Step ${step.number}`, step.turn === undefined ? null : ` \u00b7 reply ${step.turn + 1}`),
    h("h2", {}, step.words),
    step.instruction && h("p", { class: "asked" }, h("span", {}, "looked for "), step.instruction),
    h(
      "p",
      { class: "chips" },
      chip(OUTCOMES[step.outcome] ?? step.outcome, step.outcome),
      step.effect?.change && step.outcome !== "idle" && chip(CHANGES[step.effect.change] ?? step.effect.change),
      Number.isFinite(sure) && sureOf(sure),
      (step.risks ?? []).map((risk) => chip(risk, "risk", "what the screen knew of the action beforehand")),
      step.decision && chip(`asked: ${step.decision}`, "held"),
      (differences ?? []).map((word) => chip(word.startsWith("only") ? word : `${word} differs`, isGrave(word) ? "differs" : "")),
    ),
  ];
}

function sureOf(sure) {
  const meter = placed(h("i", {}), { width: `${clamp(sure, 0, 1) * 100}%` });
  return h("span", { class: "chip sure", title: "how likely the place is right" }, h("b", {}, meter), `${inShare(sure)} sure`);
}

const section = (name, ...children) => h("section", {}, h("h3", {}, name), children);

function rowsOf(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  if (!known.length) return null;
  return h("dl", {}, known.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function effectOf(step) {
  const effect = step.effect;
  if (!effect) return null;
  const rows = rowsOf([
    ["did", effect.detail === step.words ? (effect.performed ? "as told" : "nothing to do") : effect.detail],
    ["screen", CHANGES[effect.change] ?? effect.change],
    ["answer", effect.answer],
    ["waited for", (effect.waited_for ?? []).join(", ")],
    ["moving places", effect.num_moving || null],
  ]);
  return section("Effect", rows);
}

function beliefSaid(step) {
  const belief = step.belief;
  if (!belief) return null;
  const box = numbersOf(belief.box, ["left_px", "top_px", "width_px", "height_px"]);
  const expected = numbersOf(belief.expected, ["x_px", "y_px"]);
  const rows = rowsOf([
    ["90 % in", box && `${Math.round(box[2])} \u00d7 ${Math.round(box[3])} px at ${Math.round(box[0])}, ${Math.round(box[1])}`],
    ["mean place", expected && expected.map((number) => number.toFixed(1)).join(", ")],
    ["entropy", Number.isFinite(belief.entropy_bits) ? `${belief.entropy_bits.toFixed(1)} bits` : null],
    ["modes", belief.num_modes > 1 ? belief.num_modes : null],
  ]);
  return rows && section("Where it might be", rows);
}

function elementOf(step) {
  const { url, title, element } = step.surroundings ?? {};
  const rows = rowsOf([
    ["element", element && [h("code", {}, element.tag), element.role && element.role !== element.tag ? ` ${element.role}` : ""]],
    ["name", element?.name],
    ["text", element?.text === element?.name ? null : element?.text],
    ["near", element?.near],
    ["selectors", element?.selectors?.length ? element.selectors.map((one) => h("code", { class: "line" }, one)) : null],
    ["page", title],
    ["address", url],
  ]);
  return rows && section(element ? "Target" : "Page", rows);
}

// All else that is told of such a step is of the replay that healed it.
function healedOf(step) {
  if (!step.healed) return null;
  const { kind, how, said, recorded } = step.healed;
  const rows = rowsOf([
    ["kind", kind],
    ["known by", how],
    ["said", said],
    ["recorded", recorded?.effect?.detail ?? (recorded?.action && JSON.stringify(recorded.action))],
    ["reply then", recorded?.reply],
  ]);
  return rows && section("Healed by a replay", rows);
}

function approvalOf(step) {
  if (!step.decision) return null;
  return section("Approval", rowsOf([["decision", step.decision], ["waited", inTime(step.asked_s)]]));
}

function recordOf(step) {
  const { words, points, outcome, number, ...record } = step;
  const started = step.started_at_s ? `${atTime(step.started_at_s)}` : "";
  return h(
    "details",
    { toggle: (event) => (state.isRecordOpen = event.target.open), open: state.isRecordOpen },
    h("summary", {}, "Record", h("span", {}, started)),
    h("pre", { tabindex: "0" }, JSON.stringify(record, null, 2)),
  );
}

// Stacked parts of a whole; `whole` larger than their sum leaves the rest empty.
function barOf(parts, label, whole) {
  const total = whole ?? sum(parts);
  const bar = h("div", { class: "bar", role: "img", "aria-label": `${label}: ${partsSaid(parts)}` });
  parts.forEach((part, at) => {
    if (part > 0) bar.append(placed(h("i", { class: TIMES[at] }), { width: `${(100 * part) / (total || 1)}%` }));
  });
  return bar;
}

const partsSaid = (parts) =>
  parts.flatMap((part, at) => (part > 0 ? [`${TIMES[at]} ${inTime(part)}`] : [])).join(", ") || "no time";

function legendOf(parts) {
  const shown = parts.map((part, at) => [part, at]).filter(([part]) => part > 0);
  return h("ul", { class: "legend" }, shown.map(([part, at]) => h("li", { class: TIMES[at] }, TIMES[at], h("b", {}, inTime(part)))));
}
