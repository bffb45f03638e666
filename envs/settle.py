"""When has a screen stopped changing?"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from .env import Pixels

PAGE_QUIET_JS = """
({quietMs, limitMs}) => new Promise((resolve) => {
  const start = performance.now();
  let last = start;
  const touch = () => { last = performance.now(); };
  const observer = new MutationObserver(touch);
  observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  const kinds = ["scroll", "input", "transitionend", "animationend", "load"];
  for (const kind of kinds) addEventListener(kind, touch, {capture: true, passive: true});
  const finish = () => {
    observer.disconnect();
    for (const kind of kinds) removeEventListener(kind, touch, {capture: true});
    setTimeout(resolve, 100);
    requestAnimationFrame(() => requestAnimationFrame(resolve));
  };
  const ends = (animation) => Number.isFinite(animation.effect?.getComputedTiming().endTime);
  const look = () => {
    const now = performance.now();
    const moving = document.getAnimations().some((one) => one.playState === "running" && ends(one));
    const loading = document.readyState !== "complete"
      || [...document.images].some((image) => !image.complete && image.loading !== "lazy");
    if (now - start >= limitMs || (!moving && !loading && now - last >= quietMs)) finish();
    else setTimeout(look, 10);
  };
  look();
})
"""
"""Resolves once a page has had no mutation, scroll, input, finite animation or loading image for `quietMs`, and drawn
that; at the latest `limitMs` later. Animations without an end are taken for decoration."""


def wait_until_still(grab: Callable[[], Pixels], *, quiet_s: float, limit_s: float, every_s: float = 0.03) -> Pixels:
    """Grab until nothing has changed for `quiet_s`, or for `limit_s` in all; the last pixels grabbed."""
    start_s = still_since_s = time.perf_counter()
    pixels_HW3 = grab()
    while True:
        now_s = time.perf_counter()
        if now_s - still_since_s >= quiet_s or now_s - start_s >= limit_s:
            return pixels_HW3
        time.sleep(every_s)
        before_HW3, pixels_HW3 = pixels_HW3, grab()
        if not np.array_equal(before_HW3, pixels_HW3):
            still_since_s = time.perf_counter()
