// The film strip, and over it the whole run as a chart of times.

const isGrave = (word) => word !== "before" && word !== "after"; // what was done, not what a clock on the screen changes
const THUMB_RATIO = 122 / 71; // of its room in the style sheet

class Strip {
  constructor(go) {
    this.go = go;
    this.cells = [];
    this.list = h("ol", { class: "strip", "aria-label": "Steps" });
    this.chart = svg("svg", { class: "chart", preserveAspectRatio: "none", role: "img", click: (event) => this.jump(event) });
    this.total = h("div", { class: "total" });
    this.root = h("nav", { class: "film", "aria-label": "Film strip" }, h("div", { class: "times" }, this.chart, this.total), this.list);
  }

  // Makes the cells that are not there yet.
  grow() {
    const longest = Math.max(...state.pairs.map(longestOf), 0.001);
    if (longest > this.longest) this.cells.forEach((cell, at) => cell.lastChild.replaceWith(timeBar(state.pairs[at], longest)));
    this.longest = longest;
    for (let at = this.cells.length; at < state.pairs.length; at++) {
      const cell = this.cell(state.pairs[at], at, longest);
      this.cells.push(cell);
      this.list.append(h("li", {}, cell));
    }
    this.draw(longest);
  }

  cell(pair, at, longest) {
    const steps = stepsOf(pair);
    const first = steps.find(Boolean);
    const grave = pair.differences.some(isGrave);
    const words = `Step ${first.number}: ${first.words}, ${OUTCOMES[first.outcome]}`;
    const differ = pair.differences.length ? `, differs: ${pair.differences.join(", ")}` : "";
    return h(
      "button",
      {
        type: "button",
        class: `cell ${pair.differences.length ? (grave ? "differs" : "differs slightly") : ""}`,
        tabindex: "-1",
        title: `${first.words}${first.instruction ? `\n${first.instruction}` : ""}${first.error ? `\n${first.error}` : ""}`,
        "aria-label": words + differ,
        click: () => this.go(at),
      },
      steps.map((step) => thumbnailOf(step)),
      h("span", { class: "caption" }, h("b", {}, first.number), h("span", {}, captionOf(first))),
      timeBar(pair, longest),
    );
  }

  mark(at) {
    for (const cell of this.list.querySelectorAll("[aria-current]")) {
      cell.removeAttribute("aria-current");
      cell.tabIndex = -1;
    }
    const cell = this.cells[at];
    if (!cell) return;
    cell.setAttribute("aria-current", "step");
    cell.tabIndex = 0;
    const [left, right] = [cell.offsetLeft - 8, cell.offsetLeft + cell.offsetWidth + 8];
    const { scrollLeft, clientWidth } = this.list;
    if (left < scrollLeft || right > scrollLeft + clientWidth) this.list.scrollLeft = left - (clientWidth - cell.offsetWidth) / 2;
    this.here?.setAttribute("x", at);
  }

  filter(isShown) {
    this.cells.forEach((cell, at) => (cell.parentElement.hidden = !isShown(at)));
    this.bars?.forEach((bar, at) => bar.classList.toggle("faint", !isShown(at)));
  }

  draw(longest) {
    const number = Math.max(state.pairs.length, 12);
    this.chart.setAttribute("viewBox", `0 0 ${number} 100`);
    this.here = svg("rect", { x: state.at, y: 0, width: 1, height: 100, class: "here" });
    this.bars = state.pairs.map((pair, at) => columnOf(pair, at, longest));
    this.chart.replaceChildren(this.here, ...this.bars);
    const totals = TIMES.map((_, at) => sum(runSteps(0).map((step) => timesOf(step)[at])));
    this.chart.setAttribute("aria-label", `Time of each step. In all ${inTime(sum(totals))}: ${partsSaid(totals)}`);
    const label = h("p", {}, h("b", {}, inTime(sum(totals))), " in all");
    this.total.replaceChildren(label, barOf(totals, "all steps"), legendOf(totals));
  }

  jump(event) {
    const box = this.chart.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / box.width) * Math.max(state.pairs.length, 12));
    if (at < state.pairs.length) this.go(at);
  }
}

const timeBar = (pair, longest) => barOf(timesOf(stepsOf(pair).find(Boolean)), "time", longest);
const longestOf = (pair) => sum(timesOf(stepsOf(pair).find(Boolean)));

function columnOf(pair, at, longest) {
  const step = stepsOf(pair).find(Boolean);
  const column = svg("g", { class: "column" });
  let top = 100;
  timesOf(step).forEach((part, kind) => {
    const height = (92 * part) / longest;
    top -= height;
    if (height > 0) column.append(svg("rect", { x: at + 0.12, y: top, width: 0.76, height, class: TIMES[kind] }));
  });
  column.append(svg("title", {}, `${step.number}. ${step.words}: ${partsSaid(timesOf(step))}`));
  if (step.outcome !== "good") column.append(svg("rect", { x: at + 0.12, y: 97, width: 0.76, height: 3, class: step.outcome }));
  return column;
}

function thumbnailOf(step) {
  if (!step) return h("span", { class: "thumb none" }, "\u2014");
  const picture = pictures.get(step.before.sha256);
  const [width, height] = [picture?.width_px ?? step.before.width_px, picture?.height_px ?? step.before.height_px];
  const frame = h("span", { class: `thumb ${step.outcome}` });
  if (!picture?.thumbnail) return fill(frame, {}, [h("span", { class: "lost" }, "no picture")]);
  const isWide = width / height > THUMB_RATIO;
  const inner = placed(h("span", { class: isWide ? "inner wide" : "inner" }), { "aspect-ratio": `${width} / ${height}` });
  inner.append(h("img", { src: `data:image/webp;base64,${picture.thumbnail}`, alt: "", decoding: "async", loading: "lazy", draggable: "false" }));
  const point = step.points?.[0];
  if (point) inner.append(placed(h("i"), { left: `${(100 * point[0]) / width}%`, top: `${(100 * point[1]) / height}%` }));
  frame.append(inner);
  return frame;
}

function captionOf(step) {
  const words = step.words.replace(/ (at )?\([-\d., ]+\)$/, "");
  if (!step.instruction || !step.points?.length) return words;
  return words === "click" && /^(click|tick|press|open) /.test(step.instruction) ? step.instruction : `${words}: ${step.instruction}`;
}
