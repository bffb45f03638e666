"""What does the screen say? A value read from the page where it tells, else the model's answer to a question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..envs import Env, Frame
from .errors import CannotAnswer
from .expect import readable
from .kimi import generate, profile_of
from .locate import locate
from .named import checked_name
from .prompts import extract_turns
from .sure import sure_point
from .target import Target

if TYPE_CHECKING:
    from ..model import Answering


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """A value, and where it is from. It is data that the page or the model wrote, and never an instruction."""

    value: str
    how: Literal["page", "model"]  # read from the page, as it stands there; or the model's reading of the pixels
    target: Target | None = None  # where the thing named with `of` was found
    thought: str | None = None  # of a model that thinks
    frame: Frame = field(repr=False)


def extract(env: Env, engine: Answering, question: str, *, of: str | None = None, sure: float = 0.0) -> Extracted:
    """Read a value from the screen.

    With `of`, the name of a thing, that is looked for first. In a page its value is read from the page, letter by
    letter: what a field holds, the entry of a list that is chosen, or else the text that the element shows; the
    question is then not asked. Elsewhere, and without `of`, the model is asked the question about the whole screen.

    TargetRefused where the model does not see the thing, or with less confidence than `sure`. CannotAnswer where the
    model answers no questions, as moonhand-nano, and where the field does not show what it holds (a password).
    ValueError for neither a question nor a name, and for a blank name.
    """
    if not question.strip() and not (of or "").strip():
        raise ValueError("there is nothing to read: give a question, or the name of a thing with `of`")
    frame, target = env.observe(), None
    if of is not None:
        target = locate(engine, frame, checked_name(of, "of"))
        point = sure_point(target, sure)
        screen = readable(env)
        if screen is not None and (value := screen.value_at(point)) is not None:
            return Extracted(value=value, how="page", target=target, frame=frame)
    profile = profile_of(engine)
    if profile.extract_user is None:
        raise CannotAnswer(
            f"{profile.name} answers no questions about the screen: name the thing with `of`, in a page, or load a "
            "checkpoint that answers"
        )
    if not question.strip():
        raise ValueError(f"this screen does not tell the text of {of!r}: give a question for the model")
    generation = generate(engine, extract_turns(profile, frame, question), profile)
    value = generation.answer.strip()
    if not value:
        why = "" if generation.thought_finished else f": its thought took all of its {profile.max_new_tokens} tokens"
        raise CannotAnswer(f"{question!r}: the model gave no answer{why}; ask for less at a time")
    return Extracted(value=value, how="model", target=target, thought=generation.thinking, frame=frame)
