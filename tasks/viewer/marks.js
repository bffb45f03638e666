// What is drawn over a frame: where the action went, the target's box, where the model thought it might be, what differs.

const READY_PX = 13; // the ring's radius on the screen, at any zoom

function marksOf(step, size, zoom, shown, difference) {
  const layer = svg("g");
  if (difference) for (const box of difference.boxes) layer.append(box_(box, "differs", 3 / zoom));
  if (!step || !state.marks) return layer;
  if (shown !== "after") layer.append(beliefOf(step), targetOf(step, zoom));
  const points = step.points ?? [];
  if (points.length > 1) layer.append(pathOf(points, zoom));
  points.slice(0, 1).forEach((point) => layer.append(crossOf(point, zoom, shown === "after")));
  if (step.action?.type === "zoom") {
    const { left_px, top_px, width_px, height_px } = step.action;
    layer.append(box_([left_px, top_px, width_px, height_px], "target", 0));
  }
  return layer;
}

// Light on dark, to be seen on any page.
function twice(tag, attributes, kind) {
  return [svg(tag, { ...attributes, class: "halo" }), svg(tag, { ...attributes, class: kind })];
}

function box_([x, y, width, height], kind, rx) {
  return svg("g", {}, twice("rect", { x, y, width, height, rx }, kind));
}

function crossOf([x, y], zoom, isPast) {
  const [radius, arm, gap] = [READY_PX / zoom, 20 / zoom, 5 / zoom];
  const d = `M${x - arm} ${y}H${x - gap}M${x + gap} ${y}H${x + arm}M${x} ${y - arm}V${y - gap}M${x} ${y + gap}V${y + arm}`;
  return svg(
    "g",
    { class: isPast ? "cross past" : "cross" },
    twice("circle", { cx: x, cy: y, r: radius }, "point"),
    twice("path", { d }, "point"),
    svg("circle", { cx: x, cy: y, r: 1.8 / zoom, class: "dot" }),
  );
}

function pathOf(points, zoom) {
  const d = "M" + points.map((point) => point.join(" ")).join("L");
  const [x, y] = points.at(-1);
  return svg("g", {}, twice("path", { d }, "point"), svg("circle", { cx: x, cy: y, r: 6 / zoom, class: "dot" }));
}

function targetOf(step, zoom) {
  const element = step.surroundings?.element;
  if (element) return box_([element.left_px, element.top_px, element.width_px, element.height_px], "target", 3 / zoom);
  const mark = step.fingerprint;
  if (mark) return box_([mark.left_px, mark.top_px, mark.width_px, mark.height_px], "target guessed", 3 / zoom);
  return svg("g");
}

// Older and other writers may name a box as a list or as an object; both are drawn.
function numbersOf(value, names) {
  const numbers = Array.isArray(value) ? value : names.map((name) => value?.[name]);
  return numbers.length === names.length && numbers.every(Number.isFinite) ? numbers : null;
}

function beliefOf(step) {
  const layer = svg("g");
  const box = numbersOf(step.belief?.box, ["left_px", "top_px", "width_px", "height_px"]);
  if (!box) return layer;
  const [left, top, width, height] = box;
  const [x, y] = numbersOf(step.belief.expected, ["x_px", "y_px"]) ?? [left + width / 2, top + height / 2];
  const warm = svg(
    "radialGradient",
    { id: "warm" },
    svg("stop", { offset: "0", class: "warm-in" }),
    svg("stop", { offset: "1", class: "warm-out" }),
  );
  const rx = Math.max(x - left, left + width - x) * 1.25;
  const ry = Math.max(y - top, top + height - y) * 1.25;
  layer.append(svg("defs", {}, warm), svg("ellipse", { cx: x, cy: y, rx, ry, fill: "url(#warm)" }));
  layer.append(box_(box, "belief", 0));
  return layer;
}
