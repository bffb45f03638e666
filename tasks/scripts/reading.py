"""What an `extract` reads off the screen."""

from __future__ import annotations

from ...agent import CannotAnswer, TargetRefused
from ...agent.extract import extract
from ...envs import EnvError
from ...envs import Extract as ExtractAction
from ...envs.secrets import names_secrets
from ...envs.shown_text import ReadableScreen
from .conditions import Evaluating, page_answer
from .failures import StepFailed, unsure
from .hands import Hands, Located
from .tree import Extract
from .values import Value, as_text, shortened
from .wording import LONGEST_JS


def read_off(hands: Hands, asked: Extract, *, cached: bool, sure: float = 0.0) -> tuple[Value, Located]:
    """The value, which becomes a step of the trajectory too, and what told it. StepFailed where nothing tells, and for
    a thing that the model finds with less confidence than `sure`.

    It is data that somebody else wrote: one that names a secret is refused, for it might be typed.
    """
    if hands.config.is_dry:
        return "", Located("page")
    value, told = _read(hands, asked, cached=cached, sure=sure)
    text = as_text(value)
    if names_secrets(text):
        raise StepFailed(f"what was read names a secret, and is not kept: {text[:80]!r}", is_final=True)
    question = asked.question or (
        f"what is {asked.of}?" if asked.js is None else f"js: {shortened(asked.js, LONGEST_JS)}"
    )
    hands.record(ExtractAction(question=question), text, hands.env.observe())
    return value, told


def _read(hands: Hands, asked: Extract, *, cached: bool, sure: float) -> tuple[Value, Located]:
    env = hands.env
    if asked.js is not None:
        if not isinstance(env, Evaluating):
            raise StepFailed(f"only a page answers JavaScript, and this is none: {asked.js}", is_final=True)
        try:
            return page_answer(env, asked.js), Located("page")
        except EnvError as error:
            raise StepFailed(f"{asked.js}: {error}", looked_for=asked.js) from error
    words = f"read {asked.of}"
    if asked.of is not None and isinstance(env, ReadableScreen):
        point = hands.point_at(words, cached=cached)
        if point is not None and (value := env.value_at(point)) is not None:
            return value, Located("cache")
    try:
        read = extract(env, hands.engine, asked.question, of=asked.of)
    except TargetRefused as error:
        raise StepFailed(str(error), status="refused", looked_for=asked.of) from error
    except (CannotAnswer, ValueError) as error:
        raise StepFailed(str(error), looked_for=asked.of or asked.question, is_final=True) from error
    target = read.target
    confidence = None if target is None else target.confidence
    if target is not None and confidence is not None and confidence < sure:
        raise unsure(asked.of or asked.question, confidence, sure, target.point)
    if target is not None and target.point is not None and cached:
        hands.saw(words, target.instruction, read.frame, target.point)
    return read.value, Located("model", confidence)
