"""The steps of a replay, one after the other."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace

from ...envs import (
    UNTOUCHING,
    Click,
    Env,
    Frame,
    Point,
    PointOffScreen,
    Surroundings,
    UnsupportedAction,
    action_points,
)
from ...envs.change import where_changed
from ..approval import Approval
from ..errors import TrajectoryError
from ..fingerprint import Fingerprint, fingerprint
from ..loop import noted
from ..trajectory import Recording, Step, StoredFrame, Trajectory
from ..trajectory.frames import share
from .alike import without
from .config import ReplayConfig
from .divergence import Divergence, Found
from .kin import kinship, page_of
from .ladder import Ladder, Locate
from .pace import Pace
from .patch import Patch, write_patches
from .person import Ask, Person, number
from .report import Verdict
from .seek import Seeker
from .target import Clicked, Target, at_origins, with_points
from .typed import Typed, field_box
from .variables import text_of, values_of, with_text

MOVING = frozenset(("scroll", "navigate", "back", "forward", "reload", "tab_new", "tab_switch", "tab_close"))
"""Kinds after which nothing shows where it did."""
STALE_S = 0.1  # a look that is older is taken again before anything is touched


class Run:
    """One replay: what was done, what is known of the screen, and what becomes of the next step."""

    def __init__(
        self,
        recording: Recording,
        env: Env,
        trajectory: Trajectory,
        config: ReplayConfig,
        locate: Locate | None,
        ask: Ask | None,
        approve: Approval,
    ) -> None:
        self.verdicts: list[Verdict] = []
        self._recording, self._env, self._trajectory, self._config = recording, env, trajectory, config
        self._approve = approve
        self._values = values_of(recording, config.values)
        self._ladder = Ladder(env, locate, config.reads)
        self._seeker = Seeker(
            self._ladder,
            exact=config.mode == "exact",
            wait_s=config.wait_s,
            heal_after_s=config.heal_after_s,
            pages=config.pages,
        )
        self._person = None if ask is None else Person(ask, env, self._ladder)
        self._typed: list[Typed] = []  # so far
        self._showing: list[Typed] = []  # those whose texts may show yet
        self._clicked: Clicked | None = None
        self._patches: list[Patch] = []
        self._frames: dict[str, Frame] = {}  # of the recording, the last ones read
        self._shared: set[str] = set()
        self._seen: tuple[Frame, float] | None = None  # the last look, and when
        self._pace = Pace(config)
        self._steps = [step for step in recording.steps if _is_done_again(step)]
        if not self._steps:
            raise TrajectoryError(f"{recording.path} holds no action that could be done again")
        missing = next((step for step in self._steps if not _is_kept(step.before)), None)
        if missing is not None:
            number = missing.index + 1
            raise TrajectoryError(
                f"{recording.path} lacks the picture of step {number}: `moonhand traj check` tells more"
            )

    def targets(self) -> Generator[Target]:
        for step in self._steps:
            assert step.action is not None
            action = at_origins(step.action, self._config.pages)
            if step.index in self._values:
                action = with_text(action, self._values[step.index])
            self._showing = [one for one in self._showing if self._shows(one, step)]
            hidden = tuple(one.box for one in self._showing if one.box is not None)
            target = Target(step, action, tuple(self._typed), hidden, self._read, self._clicked)
            yield target
            if step.index in self._values:
                old, new = text_of(step.action) or "", self._values[step.index]
                typed = Typed(step, old, new, field_box(step, self._clicked and self._clicked.point))
                self._typed.append(typed)
                self._showing.append(typed)
            elif step.action.type in MOVING:
                self._showing.clear()

    def _shows(self, typed: Typed, step: Step) -> bool:
        """Whether a text that was typed may show where it did: the same page or window, and the field there."""
        then, now = typed.step.surroundings, step.surroundings
        if then is None or now is None:
            return then is now
        if page_of(then.url or "", {}) != page_of(now.url or "", {}) or (not then.url and then.title != now.title):
            return False
        if then.element is None:
            return True
        box = then.element
        middle = Click(x_px=box.left_px + box.width_px / 2, y_px=box.top_px + box.height_px / 2)
        return kinship(box, self._env.surroundings(middle).element, {}) in ("same", "doubtful")

    def take(self, target: Target) -> tuple[Step, Divergence | None]:
        """One step on the disk, and why it was not performed."""
        self._pace.keep(target.step)
        start_s, started_at_s, started_mono_s = time.perf_counter(), time.time(), time.monotonic()
        frame = self._look()
        look_s = time.perf_counter() - start_s
        sought = self._seeker.seek(target, frame, self._env.observe)
        found, frame = sought.found, sought.frame
        asked_s, skipped = 0.0, False
        if isinstance(found, Divergence) and self._person is not None:
            found, frame, asked_s, skipped = self._person.ask(target, found, frame)
        draft = self._draft(target, frame, started_at_s, started_mono_s)
        if isinstance(found, Divergence):
            error = f"not approved by the person: {found}" if skipped else str(found)
            step = self._trajectory.append(replace(draft, error=error, asked_s=asked_s))
            self._note(target, step, None, "skipped" if skipped else "stopped", found.kind, found.said, sought.waited_s)
            return step, None if skipped else found
        action = target.at(found.points)
        live = found.surroundings or self._env.surroundings(action)
        draft = replace(
            draft,
            action=action,
            surroundings=live,
            fingerprint=_mark(frame, found.points, live),
            asked_s=asked_s,
        )
        draft = self._approve.consider(self._env, draft, frame)
        if draft.error is not None:
            step = self._trajectory.append(draft)
            self._seen = None
            if draft.decision in ("stop", "nobody"):
                status = "stopped" if draft.decision == "stop" else "needs_user"
                self._trajectory.finish(status, answer="" if draft.decision == "stop" else draft.error)
            self._note(target, step, None, "skipped", None, draft.error, sought.waited_s)
            return step, None
        if draft.decision is not None:  # somebody thought about it
            changed = self._changed_meanwhile(target, draft, found, frame)
            if changed is not None:
                step = self._trajectory.append(replace(draft, error=str(changed)))
                self._note(target, step, None, "stopped", changed.kind, changed.said, sought.waited_s)
                return step, changed
            if draft.decision == "instead":
                draft = noted(draft, self._env, frame)
        step, divergence = self._perform(target, draft, found)
        verdict = "stopped" if divergence else "healed" if found.kind not in (None, "slow") else "done"
        own_s = time.perf_counter() - start_s - step.act_s - step.settle_s - sought.waited_s - step.asked_s
        self._note(target, step, found, verdict, found.kind, found.said, sought.waited_s, own_s, look_s)
        return step, divergence

    def _perform(self, target: Target, draft: Step, found: Found) -> tuple[Step, Divergence | None]:
        assert draft.action is not None
        try:
            effect = self._env.perform(draft.action)
        except (UnsupportedAction, PointOffScreen) as error:
            self._seen = None
            divergence = Divergence("changed", f"{number(target.step)} cannot be done: {error}")
            return self._trajectory.append(replace(draft, error=str(divergence))), divergence
        points = action_points(draft.action)
        if points and target.points:
            then, now = target.points[-1], points[-1]
            self._clicked = Clicked(then, round(now.x_px - then.x_px), round(now.y_px - then.y_px))
        after = self._env.observe()
        self._seen = (after, time.monotonic())
        if found.said:
            effect = replace(effect, detail=f"{effect.detail}; {found.said}")
        self._share(target.step.after, after)
        return self._trajectory.append(replace(draft, effect=effect, after=self._trajectory.store(after))), None

    def _changed_meanwhile(self, target: Target, draft: Step, found: Found, frame: Frame) -> Divergence | None:
        """Why what was approved is not what would be touched by now."""
        assert draft.action is not None
        now = self._env.observe()
        known = None if draft.decision == "instead" else draft.surroundings
        if self._ladder.is_still(frame, now, known, draft.action):
            return None
        if draft.decision != "instead" and found.how != "person":
            again = self._seeker.glance(target, now)
            if again is not None and again.points == found.points:
                return None
        return Divergence("changed", f"{target.words} changed while somebody was asked about it")

    def _note(
        self,
        target: Target,
        step: Step,
        found: Found | None,
        verdict: str,
        kind: str | None,
        said: str,
        waited_s: float,
        own_s: float = 0.0,
        look_s: float = 0.0,
    ) -> None:
        is_other = step.decision == "instead" or step.action is None
        if verdict == "healed" and found is not None and target.points and target.step.action and not is_other:
            patch = Patch(
                number=len(self._patches) + 1,
                recorded=target.step.index,
                step=step.index,
                kind=str(found.kind),
                how=found.how,
                said=found.said,
                before=target.step.action,
                after=with_points(target.step.action, found.points),  # with the recorded text
            )
            self._patches.append(patch)
            write_patches(self._trajectory.path, self._patches)
        self.verdicts.append(
            Verdict(
                recorded=target.step.index,
                step=step.index,
                verdict=verdict,
                how=None if found is None else found.how,
                kind=kind,
                said=said,
                same_after=self._same_after(target, step),
                waited_s=round(waited_s, 3),
                overhead_s=round(own_s, 4),
            )
        )

    def _same_after(self, target: Target, step: Step) -> bool | None:
        """Whether the screen looks as it did then, as far as that was kept."""
        recorded = target.step.after
        if step.after is None or recorded is None or self._seen is None:
            return None
        if recorded.sha256 == step.after.sha256:
            return True
        if recorded.size != step.after.size or not _is_kept(recorded):
            return False
        hidden = [one.box for one in self._showing if one.box is not None]
        if target.step.index in self._values:
            hidden += filter(None, [field_box(target.step, self._clicked and self._clicked.point)])
        then, now = (without(frame.pixels_HW3, hidden) for frame in (self._read(recorded), self._seen[0]))
        return where_changed(then, now) == "no_change"

    def _draft(self, target: Target, frame: Frame, started_at_s: float, started_mono_s: float) -> Step:
        self._share(target.step.before, frame)
        return Step(
            index=self._trajectory.num_steps,
            turn=self._trajectory.num_steps,
            before=self._trajectory.store(frame),
            after=None,
            action=target.action,
            instruction=target.step.instruction,
            started_at_s=started_at_s,
            started_mono_s=started_mono_s,
        )

    def _share(self, recorded: StoredFrame | None, frame: Frame) -> None:
        if recorded is not None and recorded.sha256 == frame.sha256 and frame.sha256 not in self._shared:
            self._shared.add(frame.sha256)
            share(recorded, self._trajectory.path)

    def _look(self) -> Frame:
        """The last look, where nothing can have come between."""
        if self._seen is not None and time.monotonic() - self._seen[1] < STALE_S:
            return self._seen[0]
        return self._env.observe()

    def _read(self, stored: StoredFrame) -> Frame:
        if stored.sha256 not in self._frames:
            while len(self._frames) >= 3:
                del self._frames[next(iter(self._frames))]
            self._frames[stored.sha256] = stored.read()
        return self._frames[stored.sha256]


def _is_done_again(step: Step) -> bool:
    return step.action is not None and step.error is None and step.action.type not in UNTOUCHING


def _is_kept(stored: StoredFrame) -> bool:
    return not stored.missing


def _mark(frame: Frame, points: tuple[Point, ...], live: Surroundings) -> Fingerprint | None:
    return fingerprint(frame, points[0], live.element) if points and frame.size.holds(points[0]) else None
