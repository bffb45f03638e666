"""What a person shows us, written down as a trajectory while they do it."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping
from typing import Protocol

from ...envs import Action, Effect, Frame, TypeText, action_points, describe
from ...envs.change import where_changed
from ...envs.raw_events import Heard, KeyPressed, PointerMoved, RawEvent, ScreenChanged
from ...envs.secrets import placeholder
from ..fingerprint import fingerprint
from ..trajectory import Step, Trajectory
from .deeds import Deed, Habits
from .looks import Looks
from .reducer import Reducer

STILL_S = 0.35  # after an action: a screen that has not changed for so long is still
LONGEST_S = 4.0  # what is not still by then never is
LATE_S = 0.3  # events are told so much later at most
SHORTEST_SECRET = 4  # characters; what is shorter is found in other texts too


class Recorder(Protocol):
    """Hears and sees what a person does: PageRecorder and DesktopRecorder."""

    def hear(self) -> Heard: ...
    def close(self) -> None: ...


class Demonstration:
    """Makes steps of what a recorder brings, each on the disk as soon as its action is over and the screen is still.

    The frame before an action is the last one that was complete when its first event happened. `stop_keys`, pressed
    together, end it and are no part of it. `secrets` are values by their names: typed text shows the names.
    """

    def __init__(
        self,
        trajectory: Trajectory,
        *,
        habits: Habits | None = None,
        stop_keys: tuple[str, ...] = (),
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._trajectory = trajectory
        self._stop_keys, self._secrets = frozenset(stop_keys), secrets or {}
        self._reducer, self._looks = Reducer(habits), Looks()
        self._befores: dict[tuple[float, int], Frame] = {}  # by the events that may begin an action
        self._done: deque[tuple[Deed, Frame]] = deque()  # actions whose screen is not still yet
        self._is_loading = False
        self.is_over = False

    def take(self, heard: Heard) -> list[Step]:
        """The steps that are complete now."""
        for look in heard.looks:
            self._looks.add(look)
        self._is_loading = heard.is_loading
        for event in () if self.is_over else heard.events:
            if self._is_stop(event):
                self.is_over = True
                break
            self._feed(event)
        if heard.is_over:
            self.is_over = True
        now_s = time.monotonic()
        self._keep(self._reducer.tick(now_s - LATE_S))
        return self._write(now_s)

    def stop(self, *, without: tuple[str, ...] = ()) -> None:
        """Nothing more is done from here on; not even the keys `without`, where they were the last."""
        self.is_over = True
        self._keep(self._reducer.finish(without=without))

    @property
    def is_complete(self) -> bool:
        """Whether every action is on the disk; else more looks may be taken, until the screen is still."""
        return not self._done and not self._reducer.open_since_s

    def finish(self) -> list[Step]:
        """The steps that are left, with the screen as it is."""
        self.stop()
        return self._write(float("inf"))

    def _is_stop(self, event: RawEvent) -> bool:
        return isinstance(event, KeyPressed) and frozenset((event.key, *event.modifiers)) == self._stop_keys

    def _feed(self, event: RawEvent) -> None:
        if not isinstance(event, ScreenChanged):
            before = self._looks.before(event.at_s, event.view)
            if before is None and (last := self._looks.last) is not None:
                before = last.frame
            if before is not None:
                self._befores[event.at_s, event.view] = before
        self._keep(self._reducer.feed(event))
        if isinstance(event, PointerMoved) and len(self._befores) < 8:
            return
        kept = {*self._reducer.may_begin_s, *(deed.began_s for deed, _ in self._done)}
        self._befores = {key: frame for key, frame in self._befores.items() if key[0] in kept}

    def _keep(self, deeds: list[Deed]) -> None:
        for deed in deeds:
            before = self._befores.get((deed.began_s, deed.view)) or self._looks.before(deed.began_s, deed.view)
            if before is None and (last := self._looks.last) is not None:
                before = last.frame
            if before is not None:  # else nothing was ever seen
                self._done.append((deed, before))

    def _write(self, now_s: float) -> list[Step]:
        steps: list[Step] = []
        while self._done:
            after = self._after(now_s)
            if after is None:
                break
            deed, before = self._done.popleft()
            steps.append(self._step(deed, before, after, min(now_s, time.monotonic())))
        return steps

    def _after(self, now_s: float) -> Frame | None:
        """What the screen showed when the oldest action was over and done with; None where that is still to come."""
        deed, _ = self._done[0]
        if len(self._done) > 1:
            return self._done[1][1]
        later = [at_s for at_s in self._reducer.open_since_s if at_s >= deed.ended_s]
        if later:
            at_s = min(later)
            found = [frame for (time_s, _), frame in self._befores.items() if time_s == at_s]
            return found[0] if found else self._looks.before(at_s, deed.view)
        last = self._looks.last
        assert last is not None  # it was before the action
        if self._reducer.open_since_s and now_s != float("inf"):
            return None
        quiet_since_s = max(deed.ended_s, self._looks.changed_s)
        is_still = last.ended_s - quiet_since_s >= STILL_S and not self._is_loading
        return last.frame if is_still or now_s - deed.ended_s >= LONGEST_S else None

    def _step(self, deed: Deed, before: Frame, after: Frame, now_s: float) -> Step:
        action = self._masked(deed.action)
        points = [point for point in action_points(action) if before.size.holds(point)]
        change = where_changed(before.pixels_HW3, after.pixels_HW3, points)
        seen = deed.surroundings
        print_of = fingerprint(before, points[0], seen.element if seen else None) if points else None
        effect = Effect(
            performed=True,
            detail=describe(action),
            changed=change != "no_change",
            change=change,
            act_s=max(0.0, deed.ended_s - deed.began_s),
            settle_s=max(0.0, min(now_s, self._looks.changed_s) - deed.ended_s),
        )
        number = self._trajectory.num_steps
        return self._trajectory.append(
            Step(
                index=number,
                turn=number,
                before=self._trajectory.store(before),
                after=self._trajectory.store(after),
                action=action,
                effect=effect,
                surroundings=seen,
                fingerprint=print_of,
                started_at_s=time.time() - (time.monotonic() - deed.began_s),
                started_mono_s=deed.began_s,
            )
        )

    def _masked(self, action: Action) -> Action:
        if not isinstance(action, TypeText):
            return action
        text = action.text
        for name, value in sorted(self._secrets.items(), key=lambda item: -len(item[1])):
            if len(value) >= SHORTEST_SECRET:
                text = re.sub(re.escape(value), lambda _, name=name: placeholder(name), text)
        return action.model_copy(update={"text": text})
