"""The script that watches a page for what moves, waits or is still to come."""

from __future__ import annotations

WATCH_NAME = "__moonhand_watch"

WATCH_JS = (
    """
(wraps) => {
  const name = \""""
    + WATCH_NAME
    + """\";
  if (Object.hasOwn(globalThis, name)) return globalThis[name].attach();  // the same window, another document
  const GAP_MS = 400, PAUSE_MS = 150, STREAK_MS = 1000, TIMER_MS = 1000, REACH_MS = 1500;
  const NESTED = 4, REPEATS = 3, HOPS = 10, MANY = 300;
  const {apply} = Reflect, {max, min, abs} = Math;
  const clock = performance.now.bind(performance), origin = performance.timeOrigin;
  const nextFrame = requestAnimationFrame.bind(globalThis), soon = queueMicrotask.bind(globalThis);
  const sourceOf = Function.prototype.toString;
  let begin = -Infinity, rest = -Infinity;  // since when an action is waited for; the end of the wait before it
  let lastTouch = clock(), lastLook = -Infinity, drawn = [0, 0], isDrawing = false, wasWaiting = false;

  // What changes, and how regularly: a place that changed by itself before the action is not waited for.
  const histories = new WeakMap(), bornOf = new WeakMap();
  let touched = new Set();
  const historyOf = (node) => {
    let one = histories.get(node);
    for (let up = node, steps = 0; !one && up && steps < 5; up = up.parentNode, steps++) one = bornOf.get(up);
    if (!one) {
      one = {times: [], last: -Infinity, from: 0, count: 0, decided: NaN, moves: false, node: new WeakRef(node)};
      histories.set(node, one);
    }
    return one;
  };
  const touch = (node, time) => {
    const one = historyOf(node);
    if (time - one.last > GAP_MS) { one.from = time; one.count = 0; }
    if (!one.times.length || time - one.times[one.times.length - 1] >= 4) {
      one.count += 1;
      one.times.push(time);
      if (one.times.length > 32) one.times.shift();
    }
    one.last = time;
    touched.add(one);
    if (touched.size > 1000) touched = new Set([...touched].filter((each) => time - each.last < 2000).slice(-500));
    return one;
  };
  const moves = (one) => {
    if (one.decided !== begin) {
      one.decided = begin;
      const idle = one.times.filter((time) => time > rest && time < begin), latest = idle[idle.length - 1];
      const isRegular = idle.length >= 3 && begin - latest <= 3 * (latest - idle[0]) / (idle.length - 1) + 50;
      one.moves = isRegular || (one.moves && begin - one.last <= PAUSE_MS);
      if (!one.moves && !idle.length) { one.from = begin; one.count = 0; }  // what actions alone change does not move
    }
    one.moves ||= one.count >= 8 && one.last - one.from >= STREAK_MS;
    return one.moves;
  };
  const roots = {subtree: true, childList: true, attributes: true, characterData: true};
  const observer = new MutationObserver((records) => {
    const time = clock();
    if (records.length > MANY) return void touch(document, time);  // each of them would cost some microseconds
    for (const {target, addedNodes, removedNodes} of records) {
      const one = touch(target, time);
      if (addedNodes.length && removedNodes.length && moves(one)) for (const node of addedNodes) bornOf.set(node, one);
    }
  });
  const onChange = (event) => touch(event.target instanceof Node ? event.target : document, clock());
  const onInput = (event) => { if (event.isTrusted) lastTouch = clock(); };
  const capture = {capture: true, passive: true};
  const attach = () => {  // again is harmless, and needed after document.open()
    observer.observe(document, roots);
    for (const kind of ["scroll", "transitionend", "animationend", "load"]) addEventListener(kind, onChange, capture);
    for (const kind of ["pointerdown", "pointerup", "keydown", "keyup", "input", "wheel"])
      addEventListener(kind, onInput, capture);
  };

  // Timers, each with the chain of timers and frames that it belongs to.
  const timers = new Map(), frames = new Map(), sources = new Map();
  let chain = null;  // of the code that runs now: {root: when its first link was made, depth}
  const linger = (one, hops) => soon(() => {
    if (chain === one) { if (hops) linger(one, hops - 1); else chain = null; }
  });
  const run = (one, handler, self, rest) => {
    chain = one;
    try { return apply(handler, self, rest); } finally { linger(one, HOPS); }  // what it resolves runs right after it
  };
  const sourceFor = (handler, delay) => {
    const text = apply(sourceOf, handler, []).slice(0, 120), key = text.includes("[native code]") ? delay + text : text;
    if (sources.size > 500) sources.clear();
    if (!sources.has(key)) sources.set(key, {times: [], fired: 0, isIdle: false});
    const source = sources.get(key);
    source.times.push(clock());
    if (source.times.length > 8) source.times.shift();
    return source;
  };
  const hook = (kind, around) => {
    const target = globalThis[kind];
    if (typeof target === "function") globalThis[kind] = new Proxy(target, {apply: around});
  };
  const later = (kind, makes, pending) => hook(kind, (target, self, args) => {
    const handler = args[0];
    if (typeof handler !== "function") {  // text to be run, or an error
      const id = apply(target, self, args);
      if (makes) pending.set(id, makes(null, args[1]));
      return id;
    }
    const one = makes(handler, args[1]);
    let id = 0;
    args[0] = function (...given) {
      if (one.ticks === undefined) pending.delete(id); else one.depth = ++one.ticks;
      if (one.source) one.source.fired += 1;
      return run(one, handler, this, given);
    };
    id = apply(target, self, args);
    if (one.ticks === undefined) pending.set(id, one);
    return id;
  });
  const link = () => ({root: chain ? chain.root : clock(), depth: chain ? chain.depth : 0});
  const forget = (kind, pending) => hook(kind, (target, self, args) => {
    pending.delete(+args[0]);
    return apply(target, self, args);
  });
  if (wraps) {
    later("setTimeout", (handler, given) => {
      const one = link(), number = typeof given === "number" || typeof given === "string" ? +given : 0;
      const delay = number > 0 ? number : 0;
      const source = handler && !chain ? sourceFor(handler, delay) : null;
      return {root: one.root, depth: one.depth + 1, delay, due: clock() + delay, isText: !handler, source,
        fired: source ? source.fired : 0};
    }, timers);
    later("setInterval", () => ({...link(), ticks: 0}), timers);
    later("requestAnimationFrame", link, frames);
    forget("clearTimeout", timers);
    forget("clearInterval", timers);
    forget("cancelAnimationFrame", frames);
    Element.prototype.attachShadow = new Proxy(Element.prototype.attachShadow, {apply: (target, self, args) => {
      const root = apply(target, self, args);
      observer.observe(root, roots);
      return root;
    }});
  }

  const start = (newBegin, newRest) => {
    begin = newBegin;
    rest = newRest;
    for (const one of touched) moves(one);
    for (const source of sources.values()) {
      source.fired = 0;
      source.isIdle ||= source.times.some((time) => time > rest && time < begin);
    }
  };
  const draw = () => {
    drawn = [drawn[1], clock()];
    isDrawing = clock() - lastLook < 300;
    if (isDrawing) nextFrame(draw);
  };
  const soonestTimer = (time) => {
    let soonest = Infinity;
    for (const [id, {root, depth, delay, due, isText, source, fired}] of timers) {
      const isPolling = source && (source.isIdle || fired >= REPEATS);
      if (isText && time > due + 20) timers.delete(id);
      else if (root >= begin && depth <= NESTED && delay <= TIMER_MS && !isPolling)
        soonest = min(soonest, max(due - time, 5));
    }
    return soonest;
  };
  const animated = (time) => {
    const endless = [];
    let ends = Infinity;
    for (const one of document.getAnimations ? document.getAnimations() : []) {
      if (one.playState !== "running" || one.timeline !== document.timeline || !one.effect) continue;
      const left = (one.effect.getComputedTiming().endTime - one.currentTime) / abs(one.playbackRate || 1);
      const isOurs = one.startTime === null || one.startTime >= begin - 50;
      if (isOurs && left <= REACH_MS) ends = min(ends, max(left, 5));
      else endless.push([one.effect.target, !isOurs]);
    }
    const isDrawn = [...frames.values()].some(({root}) => root >= begin && time - root < STREAK_MS);
    if (isDrawn && document.querySelector("canvas")) ends = min(ends, 15);
    return [ends, endless];
  };
  const boxes = (nodes) => {
    const found = new Map();
    for (const [node] of nodes) {
      const element = node && node.nodeType === 1 ? node : node && (node.parentElement || node.host);
      if (!element || found.has(element) || found.size >= 32) continue;
      const {left, top, width, height} = element.getBoundingClientRect();
      if (width && height && left < innerWidth && top < innerHeight && left + width > 0 && top + height > 0)
        found.set(element, [left, top, width, height]);
    }
    return [...found.values()];
  };
  const watch = {
    attach,
    begin(sinceRest) {
      attach();
      const time = clock();
      start(time, sinceRest - origin);
      return origin + time;
    },
    look(newBegin, newRest) {
      const time = lastLook = clock(), hidden = self !== top && (innerWidth <= 1 || innerHeight <= 1);
      if (newBegin - origin !== begin) start(newBegin - origin, newRest - origin);
      if (hidden) return [origin + time, 1e6, 0, [], [], 0];
      if (!isDrawing) { isDrawing = true; nextFrame(draw); }
      const [ends, endless] = animated(time), timer = soonestTimer(time), reasons = [], moving = [];
      if (document.readyState !== "complete" && begin <= 0) reasons.push(["loading", 15]);
      if (timer < Infinity) reasons.push(["timers", timer]);
      if (ends < Infinity) reasons.push(["animations", ends]);
      if (wasWaiting) lastTouch = time;  // what ended just now may have yet to tell the page
      wasWaiting = reasons.length > 0;
      let last = max(begin, lastTouch);
      for (const one of touched)
        if (!moves(one)) last = max(last, one.last);
        else if (time - one.last < GAP_MS) moving.push([one.node.deref(), one.from < begin]);
      for (const one of document.querySelectorAll("video"))
        if (!one.paused && !one.ended) moving.push([one, one.currentTime * 1000 > time - begin]);
      moving.push(...endless);
      const isDrawn = drawn[0] > last || time - last > 200 || self !== top;
      const before = moving.filter(([, isOld]) => isOld);
      return [origin + time, time - last, isDrawn ? 0 : 10, reasons, boxes(before), boxes(moving).length];
    },
  };
  Object.defineProperty(globalThis, name, {value: watch});
  attach();
}
"""
)
"""Installs the watch in a window, as its first script where it can be, with (`wraps`) or without the page's own
setTimeout, setInterval, requestAnimationFrame and attachShadow wrapped. All times that cross are milliseconds since
the epoch by the page's clock. `begin(rest)` begins an action and returns that time; `look(begin, rest)` returns

    [now, ms since the last change, ms until it is drawn, [[what is waited for, ms it takes], ...], boxes, count]

where `count` places never stop and are not waited for; the boxes (left, top, width, height in CSS px) are those of them
that moved before the action."""
