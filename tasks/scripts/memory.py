"""A thing that an earlier run found, looked for again: by the rules of an anchored replay, and by no weaker ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ...agent import Step, StoredFrame, TrajectoryError
from ...agent.replay.divergence import Divergence, Found
from ...agent.replay.kin import kinship, page_of
from ...agent.replay.ladder import Ladder
from ...agent.replay.seek import Seeker
from ...agent.replay.target import Clicked, Target
from ...agent.replay.typed import Typed, field_box
from ...agent.replay.variables import text_of
from ...envs import Action, Click, Env, Frame, action_points
from .cache import Anchored, Cache

WAIT_S = 1.5  # for a thing that is not there yet; then the model is asked
HEAL_AFTER_S = 0.5  # how long its own pixels are waited for before the page's tree and its words count


class Memory:
    """What one run knows of earlier ones, and what it learns for later ones."""

    def __init__(self, env: Env, cache: Cache, pages: Mapping[str, str]) -> None:
        """`pages` are origins and pages of the kept run with where they are now."""
        self.cache = cache
        self._env = env
        ladder = Ladder(env, reads=False)  # a model is at hand, which reads better
        self._seeker = Seeker(ladder, exact=False, wait_s=WAIT_S, heal_after_s=HEAL_AFTER_S, pages=pages)
        self._times: Counter[str] = Counter()
        self._frames: dict[str, Frame] = {}
        self._typed: list[tuple[str, Typed]] = []  # texts other than those of the kept run, with that run
        self._clicked: Clicked | None = None
        self._learned: dict[tuple[str, int], tuple[Step, ...]] = {}
        self._has_news = False

    def find(self, words: str) -> Anchored | None:
        """What these words named in an earlier run, when they came as often as they have come now."""
        return self.cache.find(words, self._times[words] + 1)

    def count(self, words: str) -> None:
        """What these words name was found."""
        self._times[words] += 1

    def seek(self, kept: Anchored, number: int, action: Action | None, frame: Frame) -> tuple[Found | None, Frame, str]:
        """The thing of a kept step, where it is now; else None and why it is not it. `action` is what is to be done.

        The frame is the one in which it was found.
        """
        recorded = kept.steps[number]
        action = action or recorded.action
        if action is None:
            return None, frame, "nothing was done to it"
        typed = [one for run, one in self._typed if run == kept.run]
        hidden = tuple(one.box for one in typed if one.box is not None and self._shows(one, recorded))
        clicked = self._clicked if number else None
        target = Target(recorded, action, tuple(typed), hidden, self._read, clicked)
        try:
            sought = self._seeker.seek(target, frame, self._env.observe)
        except TrajectoryError as error:  # a picture that was kept is damaged
            return None, frame, str(error)
        if isinstance(sought.found, Divergence):
            return None, sought.frame, str(sought.found)
        if sought.found.kind not in (None, "slow"):
            self._has_news = True
        return sought.found, sought.frame, sought.found.said

    def done(self, kept: Anchored, number: int, action: Action) -> None:
        """It was done to the thing that was found: what follows from that for the next ones."""
        recorded = kept.steps[number]
        if recorded.action is None:
            return
        points, then = action_points(action), action_points(recorded.action)
        if points and then:
            dx, dy = points[-1].x_px - then[-1].x_px, points[-1].y_px - then[-1].y_px
            self._clicked = Clicked(then[-1], round(dx), round(dy))
        old, new = text_of(recorded.action), text_of(action)
        if old is not None and new is not None and old != new:
            box = field_box(recorded, self._clicked and self._clicked.point)
            self._typed.append((kept.run, Typed(recorded, old, new, box)))

    def learn(self, words: str, steps: tuple[Step, ...], *, is_new: bool) -> None:
        """What was done to a thing in this run. `is_new`: a model found it."""
        self.count(words)
        self._learned[words, self._times[words]] = steps
        self._has_news = self._has_news or is_new

    def keep(self, *, run: str, url: str | None) -> int:
        """Write what was learned where any of it is new; how many things. OSError or TrajectoryError as in Cache."""
        if not self._has_news or not self._learned:
            return 0
        self.cache.write(self._learned, run=run, url=url)
        return len(self._learned)

    def _shows(self, typed: Typed, recorded: Step) -> bool:
        """Whether a text that was typed may show where it did: the same page or window, and the field there."""
        then, now = typed.step.surroundings, recorded.surroundings
        if then is None or now is None:
            return then is now
        if page_of(then.url or "", {}) != page_of(now.url or "", {}) or (not then.url and then.title != now.title):
            return False
        if then.element is None:
            return True
        box = then.element
        middle = Click(x_px=box.left_px + box.width_px / 2, y_px=box.top_px + box.height_px / 2)
        return kinship(box, self._env.surroundings(middle).element, {}) in ("same", "doubtful")

    def _read(self, stored: StoredFrame) -> Frame:
        if stored.sha256 not in self._frames:
            while len(self._frames) >= 4:
                del self._frames[next(iter(self._frames))]
            self._frames[stored.sha256] = stored.read()
        return self._frames[stored.sha256]
