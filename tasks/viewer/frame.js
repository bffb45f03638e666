// One run's frame: before and after, a slider between them, what differs, and the marks over it.

const LARGEST_FIT = 2; // small pages are shown up to twice their size
const LOSSY_TOLERANCE = 28;

class View {
  constructor(label) {
    this.before = h("canvas", { class: "picture" });
    this.after = h("canvas", { class: "picture" });
    this.dim = h("canvas", { class: "picture dim" });
    this.marks = svg("svg", { class: "marks", "aria-hidden": "true", preserveAspectRatio: "none" });
    this.grip = h("div", {
      class: "grip",
      role: "slider",
      tabindex: "0",
      "aria-label": "Between before and after",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
      keydown: (event) => this.slideByKey(event),
    });
    this.tags = [h("span", { class: "tag left" }, "before"), h("span", { class: "tag right" }, "after")];
    this.paper = h("div", { class: "paper" }, this.before, this.after, this.dim, this.marks, this.tags, this.grip);
    this.hole = h("div", { class: "hole", role: "img", hidden: true });
    this.stage = h("div", { class: "stage", tabindex: "-1" }, this.paper, this.hole);
    this.place = h("span", { class: "place" });
    this.said = h("span", { class: "said" });
    this.facts = h("span", { class: "facts" });
    this.foot = h("div", { class: "foot" }, this.said, this.place, this.facts);
    this.root = h("section", { class: "view", "aria-label": label }, this.stage, this.foot);
    this.turn = 0;
    this.paper.addEventListener("pointerdown", (event) => this.slide(event, true));
    this.paper.addEventListener("pointermove", (event) => this.point(event));
    this.paper.addEventListener("pointerleave", () => (this.place.textContent = ""));
    new ResizeObserver(() => this.layOut()).observe(this.stage);
  }

  // Shows a step; `other` is the one of the other run that differences are taken from, null to take them within.
  async show(step, other, label) {
    const turn = ++this.turn;
    this.step = step;
    this.label = label;
    if (!step) return this.showHole(`${label} did nothing like it`, "No step");
    const names = [step.before.sha256, (step.after ?? step.before).sha256];
    const found = await Promise.allSettled(names.map(decode));
    const against = other ? await Promise.allSettled([decode(shownName(other))]) : null;
    if (turn !== this.turn) return;
    const [before, after] = found.map((result) => result.value ?? null);
    const wanted = state.shown === "after" ? found[1] : found[0];
    if (!before && !after) return this.showHole(wanted.reason.message);
    if (!wanted.value && state.shown !== "slider") return this.showHole(wanted.reason.message);
    this.images = [before ?? after, after ?? before];
    this.isWhole = Boolean(before && after);
    this.hole.hidden = true;
    this.paper.hidden = false;
    this.size = [wanted.value ?? this.images[0]].map((image) => [image.width, image.height])[0];
    paint(this.before, this.images[0]);
    paint(this.after, this.images[1]);
    const mine = state.shown === "after" ? this.images[1] : this.images[0];
    const pair = isTwo ? [mine, against?.[0].value] : this.images;
    const isLossy = [...names, ...(other ? [shownName(other)] : [])].some((name) => pictures.get(name)?.is_lossy);
    const wantsDifference = state.isDifferent && pair[0] && pair[1];
    this.difference = wantsDifference ? differenceOf(pair[0], pair[1], isLossy ? LOSSY_TOLERANCE : 0) : null;
    this.layOut();
    this.say(wantsDifference, isLossy);
    this.root.dataset.step = step.number;
  }

  showHole(words, title) {
    this.images = null;
    this.root.dataset.step = this.step?.number ?? "";
    this.paper.hidden = true;
    this.hole.hidden = false;
    this.hole.replaceChildren(h("strong", {}, title ?? "No picture"), h("span", {}, words));
    this.hole.setAttribute("aria-label", words);
    this.said.textContent = this.facts.textContent = "";
  }

  say(wantsDifference, isLossy) {
    const { step, size, difference } = this;
    const words = [];
    if (this.label) words.push(this.label);
    if (!step.after) words.push("nothing was performed: there is no picture after it");
    else if (!this.isWhole) words.push("one of the two pictures is missing");
    if (wantsDifference && !difference) words.push("pictures of two sizes are not compared");
    if (difference) {
      const many = difference.changed ? `${(difference.share * 100).toPrecision(2)} % of the pixels` : "";
      words.push(difference.changed ? `${differing(difference.boxes.length, "place")}, ${many}` : "no pixel differs");
    }
    this.said.textContent = words.join(" \u00b7 ");
    const scale = step.before.scale === 1 ? "" : ` at ${step.before.scale}x`;
    this.facts.textContent = `${size[0]} \u00d7 ${size[1]} px${scale}${isLossy ? " \u00b7 reduced for size" : ""}`;
  }

  layOut() {
    if (!this.images) return;
    const [width, height] = this.size;
    const room = [this.stage.clientWidth - 2, this.stage.clientHeight - 2];
    const scale = this.step.before.scale || 1;
    const fit = Math.min(room[0] / width, room[1] / height, LARGEST_FIT / scale);
    this.zoom = state.isActual ? 1 / scale : Math.max(fit, 0.02);
    placed(this.paper, { width: `${width * this.zoom}px`, height: `${height * this.zoom}px` });
    this.stage.classList.toggle("actual", state.isActual);
    this.paper.dataset.shown = state.shown;
    this.marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.marks.replaceChildren(marksOf(this.step, this.size, this.zoom, state.shown, this.difference));
    this.dim.hidden = !this.difference;
    if (this.difference) paintDim(this.dim, this.size, this.difference.boxes);
    this.setSplit();
  }

  setSplit() {
    const share = inShare(state.split).replace(" ", "");
    placed(this.after, { "clip-path": state.shown === "slider" ? `inset(0 0 0 ${state.split * 100}%)` : "none" });
    placed(this.grip, { left: `${state.split * 100}%` });
    this.grip.setAttribute("aria-valuenow", Math.round(state.split * 100));
    this.grip.setAttribute("aria-valuetext", `${share} before`);
  }

  slide(event, isFirst) {
    if (state.shown !== "slider" || event.button !== 0) return;
    event.preventDefault();
    this.grip.focus({ preventScroll: true });
    const move = (moved) => {
      const box = this.paper.getBoundingClientRect();
      setSplit((moved.clientX - box.left) / box.width);
    };
    if (isFirst) {
      this.paper.setPointerCapture(event.pointerId);
      this.paper.addEventListener("pointermove", move);
      const stop = () => this.paper.removeEventListener("pointermove", move);
      this.paper.addEventListener("pointerup", stop, { once: true });
      this.paper.addEventListener("pointercancel", stop, { once: true });
    }
    move(event);
  }

  slideByKey(event) {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setSplit(state.split + by);
  }

  point(event) {
    if (!this.images) return;
    const box = this.paper.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / this.zoom);
    const y = Math.floor((event.clientY - box.top) / this.zoom);
    this.place.textContent = `x ${x}, y ${y}`;
  }

  // Brings the action's place into sight where the picture is larger than its stage.
  center() {
    const [x, y] = this.step?.points?.[0] ?? [0, 0];
    this.stage.scrollTo(x * this.zoom - this.stage.clientWidth / 2, y * this.zoom - this.stage.clientHeight / 2);
  }
}

const shownName = (step) => (state.shown === "after" ? (step.after ?? step.before) : step.before).sha256;

function paint(canvas, image) {
  if (canvas.width !== image.width || canvas.height !== image.height) {
    canvas.width = image.width;
    canvas.height = image.height;
  }
  canvas.getContext("2d", { alpha: false }).drawImage(image, 0, 0);
}

function paintDim(canvas, [width, height], boxes) {
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "rgba(9, 11, 20, 0.62)";
  pen.fillRect(0, 0, width, height);
  for (const box of boxes) pen.clearRect(...box);
}
