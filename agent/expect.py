"""Is it on the screen? The words that a page shows decide; what has no words, the model is asked about.

How a thing is looked for, and what the answer is worth:

1. `page words`. A browser knows the text that its page shows, frames included. Words that stand there, drawn, in view
   and not covered, are seen. Case and the spaces between words do not count; they are whole words. Nothing is guessed.
2. `model`. A description ("a list of results", "the red button") is no text that a page could hold, and a desktop
   tells no text at all: the model is asked where the thing is. Seen is then what it points at with no less confidence
   than the checkpoint's calibrated `refuse_below`. moonhand-nano hardly ever says that something is not there (5 of 100
   times on large pages, model/nano/README.md), so with it "seen" is worth little and "absent" is hardly ever reached.

Where a page tells its words, plain words are never asked of the model: what the page does not show is not seen,
whatever a model would say. A text is a description where it begins with an article (a, an, the, some, any), unless the
page shows those very words; `by` says it outright.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

from ..envs import Env, EnvError, Frame
from ..envs.shown_text import Found, ReadableScreen, Showing, ShownText, plain
from .locate import locate
from .target import Target
from .zoom import refuse

if TYPE_CHECKING:
    from ..model import Answering

How = Literal["page words", "model"]
By = Literal["words", "model", "any"]
ARTICLES = ("a", "an", "the", "some", "any")  # of what is a description
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.25  # between two looks
UNTOLD = "the page does not tell its words just now: it is loading, or busy"
ELSEWHERE: dict[Showing, str] = {
    "outside": "the page has these words, but out of view: scroll to them first",
    "covered": "the page has these words, but something lies over them",
    "hidden": "the page has these words, but does not show them",
}


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """Whether something was seen, and what that rests on."""

    text: str  # what was looked for
    found: bool
    how: How
    said: str  # in words: what the page shows, or what the model replied
    confidence: float | None = None  # 0..1, of the model's answer, found or not; None for page words: no guess
    target: Target | None = None  # where; None where nothing was found by words
    frame: Frame = field(repr=False)  # what was looked at
    is_told: bool = True  # False: the page told nothing just then, and nothing is known
    waited_s: float = 0.0


def seen(
    env: Env,
    engine: Answering,
    text: str,
    *,
    frame: Frame | None = None,
    by: By = "any",
    sure: float = 0.0,
) -> Sighting:
    """Look once. `frame` is what the screen shows, where it was just observed; `engine` is used only by a model's look.

    `by`: "words" looks at page words alone, "model" asks the model alone, "any" goes by the text, as above. What the
    model points at with less confidence than `sure`, 0..1, is not seen. ValueError for no text, for another `by`, and
    for by="words" on a screen that tells no words.
    """
    checked_by(by)
    wanted = plain(text)
    if not wanted:
        raise ValueError("there is nothing to look for: say what should be on the screen")
    frame = env.observe() if frame is None else frame
    screen = readable(env)
    if by == "words" and screen is None:
        raise ValueError(f"{text!r}: this screen does not tell its words; ask the model, by='model'")
    if by == "model" or screen is None:
        return _by_model(engine, frame, wanted, sure)
    shown = screen.shown_text()
    if shown is None:
        return Sighting(text=wanted, found=False, how="page words", said=UNTOLD, frame=frame, is_told=False)
    found = shown.find(wanted)
    if found is None and by == "any" and is_description(wanted) and _elsewhere(shown, wanted) is None:
        return _by_model(engine, frame, wanted, sure)
    return _by_words(shown, found, frame, wanted)


def wait_until_seen(
    env: Env,
    engine: Answering,
    text: str,
    *,
    timeout_s: float = 10,
    absent: bool = False,
    by: By = "any",
    sure: float = 0.0,
) -> Sighting:
    """Look until it is there, or with `absent` until it is not, for `timeout_s` at most; the last look.

    At least one look is made, also with a timeout of 0. A frame that looks as the last one did is not looked at again,
    and between two looks the screen is left alone for 0.05 to 0.25 s, or for as long as the model took. What a page
    does not tell is neither there nor absent: EnvError where it never does and something was to be absent.
    """
    if not timeout_s >= 0:  # NaN is not
        raise ValueError(f"timeout_s must be >= 0, got {timeout_s}")
    start_s, pause_s = time.monotonic(), FIRST_PAUSE_S
    last: Sighting | None = None
    while True:
        frame = env.observe()
        look_s = time.monotonic()
        if last is None or not last.is_told or frame.sha256 != last.frame.sha256:
            last = seen(env, engine, text, frame=frame, by=by, sure=sure)
        now_s = time.monotonic()
        left_s = start_s + timeout_s - now_s
        if absent and left_s <= 0 and not last.is_told:
            raise EnvError(f"{text!r}: {last.said}, and did not for {timeout_s:g} s: wait longer")
        if (last.is_told and last.found is not absent) or left_s <= 0:
            return replace(last, waited_s=now_s - start_s)
        if last.how == "model":
            pause_s = max(pause_s, now_s - look_s)
        time.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def checked_by(by: By) -> By:
    """ValueError for another word: a type checker does not see every program."""
    if by not in get_args(By):
        raise ValueError(f"by must be 'words', 'model' or 'any', got {by!r}")
    return by


def readable(env: Env) -> ReadableScreen | None:
    """The screen, where it tells its words."""
    return env if isinstance(env, ReadableScreen) and env.tells_text else None


def is_description(text: str) -> bool:
    """Whether a text says what a thing is, rather than what is written there."""
    return text.split(" ", 1)[0].casefold() in ARTICLES and " " in text


def _by_words(shown: ShownText, found: Found | None, frame: Frame, text: str) -> Sighting:
    if found is None:
        said = _elsewhere(shown, text) or f"the page does not show these words; it shows {_cut(shown.text)}"
        return Sighting(text=text, found=False, how="page words", said=said, frame=frame)
    size, box = frame.size, found.box
    target = Target(
        instruction=text,
        x_px=min(max(0.0, box.left_px + box.width_px / 2), size.width_px - 1),
        y_px=min(max(0.0, box.top_px + box.height_px / 2), size.height_px - 1),
        size=size,
        confidence=None,
        refused=False,
        raw=found.text,
        model="page words",
    )
    return Sighting(
        text=text, found=True, how="page words", said=f"the page shows {found.text!r}", target=target, frame=frame
    )


def _by_model(engine: Answering, frame: Frame, text: str, sure_at_least: float) -> Sighting:
    calibration = engine.calibration
    below = 0.0 if calibration is None else calibration.thresholds.get("refuse_below", 0.0)
    target = refuse(locate(engine, frame, text), max(below, sure_at_least))
    found = target.point is not None
    said = f"{engine.name} points at it" if found else target.error or f"{engine.name} does not see it"
    sure = "" if target.confidence is None else f", sure by {target.confidence:.0%}"
    return Sighting(
        text=text,
        found=found,
        how="model",
        said=f"{said}{sure} (reply: {target.raw!r})",
        confidence=target.confidence,
        target=target,
        frame=frame,
    )


def _elsewhere(shown: ShownText, text: str) -> str | None:
    """Why words that the page has are not seen; None where it has them nowhere."""
    for showing, why in ELSEWHERE.items():
        if shown.find(text, showing) is not None:
            return why
    return None


def _cut(text: str, longest: int = 300) -> str:
    return repr(text) if len(text) <= longest else f"{text[:longest]!r}..."
