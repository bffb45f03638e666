"""Kimi-VL as a policy: the only file of this package that talks to `moonhand.model`, and it does so at first use."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..envs import KINDS, UNTOUCHING, Finish, Frame, Point, Refuse, Region, Size, action_points
from ..envs.async_env import unstopped
from ..model.seeds import later_seed
from .belief import Mode, mix
from .confidence import REFUSAL, Certainty, certainty
from .dialects import DIALECTS, Canvas, Parsed
from .errors import CannotAnswer, ParseError
from .look import crop, region_around
from .policy import Reply, failures_in_a_row, turns_done
from .profiles import PromptProfile, profile_for
from .prompts import Turn, agent_turns, extract_turns, grounding_turns
from .steps import ScriptStep, describe_step, grounding_instruction, parse_steps, step_actions
from .stuck import stuck
from .trajectory import Step

if TYPE_CHECKING:
    from ..model import Answering, Generation, Message

RETRY_TEMPERATURE = 0.7  # a greedy reply that failed would only come again


class KimiPolicy:
    """Asks an engine what to do next.

    A profile that plans is given the goal. One that does not, or any when `steps` are given, works through plain steps
    (read from the goal unless given) and only finds each step's target in the pixels. `kinds` are the actions that the
    screen can do; None: nobody knows, and it will say so itself. `seed` is for replies that are drawn at random: those
    after a try in vain, and all of a profile with a temperature.
    """

    def __init__(
        self,
        engine: Answering,
        *,
        profile: PromptProfile | None = None,
        steps: Sequence[ScriptStep] | None = None,
        kinds: Iterable[str] | None = None,
        seed: int = 0,
    ) -> None:
        self._engine = engine
        self._seed = seed
        self._is_given = profile is not None
        self._profile = profile or profile_of(engine)
        self._steps = None if steps is None else tuple(steps)
        self._kinds = offered_kinds(self._profile, KINDS if kinds is None else kinds)

    @property
    def profile(self) -> PromptProfile:
        return self._profile

    def reply(self, goal: str, frame: Frame, history: Sequence[Step]) -> Reply:
        """One turn. BadGoal where plain steps are needed and the goal is not made of them."""
        trouble, num_failures = stuck(history), len(failures_in_a_row(history))
        if self._profile.plans and self._steps is None:
            return self._plan(goal, frame, history, num_failures + (trouble.count if trouble else 0))
        steps = parse_steps(goal) if self._steps is None else self._steps
        num_done = turns_done(history)
        num_failures = 0 if history and history[-1].decision == "skip" else num_failures
        if num_done >= len(steps):
            return Reply(text="finish()", actions=(Finish(),))
        step = steps[num_done]
        instruction = grounding_instruction(step)
        if instruction is None:
            return Reply(text=describe_step(step), actions=step_actions(step, None), step=step)
        trouble = trouble and trouble.about(instruction)  # another thing is found as if nothing had happened
        num_in_vain = num_failures + (trouble.count if trouble else 0)
        if trouble and trouble.stage != "nudge" and trouble.point:
            found = self._look_closer(frame, trouble.point, step, instruction, num_in_vain)
            if found:
                return found
        answer = self._where(frame, instruction, num_in_vain)
        return Reply(
            text=answer.text,
            instruction=instruction,
            step=step,
            confidence=answer.confidence,
            belief=answer.belief(_whole(frame)),
            model_s=answer.model_s,
        )

    def read(self, reply: Reply, frame: Frame) -> Parsed:
        """The actions of a reply; of a grounded step, those that the step makes of the point found."""
        if reply.actions is not None:
            return Parsed(reply.actions)
        canvas = canvas_of(self._engine, frame)
        if reply.step is None:
            return DIALECTS[self._profile.dialect_of_turns].read(reply.text, canvas)
        parsed = DIALECTS[self._profile.dialect].read(reply.text, canvas)
        if isinstance(parsed.actions[0], Refuse):
            return parsed
        return Parsed(step_actions(reply.step, _first_point(parsed, reply.text)), parsed.thought, reply.instruction)

    def answer(self, question: str, frame: Frame) -> str:
        """What the screen shows, in words. CannotAnswer for a profile that answers no questions."""
        if self._profile.extract_user is None:
            raise CannotAnswer(f"{self._profile.name} answers no questions about the screen: act, or finish")
        return generate(self._engine, extract_turns(self._profile, frame, question), self._profile).answer

    def _plan(self, goal: str, frame: Frame, history: Sequence[Step], num_in_vain: int) -> Reply:
        profile, canvas = self._profile, canvas_of(self._engine, frame)
        temperature = profile.agent_temperature
        if num_in_vain and profile.history == "verbs":  # which tells the model nothing of what was in vain
            temperature = RETRY_TEMPERATURE
        answer = ask(
            self._engine,
            agent_turns(profile, frame, goal, history, canvas),
            profile,
            canvas=canvas,
            kinds=self._kinds,
            dialect=profile.dialect_of_turns,
            temperature=temperature,
            seed=later_seed(self._seed, num_in_vain),
        )
        return Reply(
            text=answer.text,
            confidence=answer.confidence,
            belief=answer.belief(_whole(frame)),
            model_s=answer.model_s,
        )

    def _where(self, frame: Frame, instruction: str, num_in_vain: int) -> Answer:
        return ask(
            self._engine,
            grounding_turns(self._profile, frame, instruction),
            self._profile,
            canvas=canvas_of(self._engine, frame),
            kinds=self._profile.grounding_kinds,
            temperature=RETRY_TEMPERATURE if num_in_vain else None,
            seed=later_seed(self._seed, num_in_vain),
        )

    def _look_closer(
        self, frame: Frame, place: Point, step: ScriptStep, instruction: str, num_in_vain: int
    ) -> Reply | None:
        """The step at a point found in a part of the frame around a place; None where nothing is found there."""
        region = region_around(place, frame.size)
        part = crop(frame, region)
        answer = self._where(part, instruction, num_in_vain)
        try:
            parsed = DIALECTS[self._profile.dialect].read(answer.text, canvas_of(self._engine, part))
            if parsed.refused:
                return None
            found = _first_point(parsed, answer.text)
        except ParseError:
            return None
        point = Point(region.left_px + found.x_px, region.top_px + found.y_px)
        return Reply(
            text=answer.text,
            actions=step_actions(step, point),
            instruction=instruction,
            step=step,
            confidence=answer.confidence,
            belief=answer.belief(region),
            model_s=answer.model_s,
        )

    def manifest(self) -> Mapping[str, Any]:
        steps = None if self._steps is None else [describe_step(step) for step in self._steps]
        return {
            "kind": "kimi",
            "model": self._engine.manifest(),
            "prompt": {
                "sha256": self._profile.sha256,
                "chosen_by": "caller" if self._is_given else "checkpoint",
                **asdict(self._profile),
            },
            "kinds": sorted(self._kinds),
            "steps": steps,
        }


def offered_kinds(profile: PromptProfile, kinds: Iterable[str]) -> frozenset[str]:
    """What an agent may ask for on a screen that can do `kinds`: those, and what the loop and the policy do themselves.

    What the profile's dialect has no words for is left out.
    """
    unserved = {"zoom"} if profile.history == "verbs" else set[str]()
    if profile.extract_user is None:
        unserved.add("extract")
    offered = frozenset(kinds) | (UNTOUCHING - unserved)
    if profile.agent_kinds is not None:
        offered &= frozenset(profile.agent_kinds)
    return offered & DIALECTS[profile.dialect_of_turns].kinds


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model wrote, how sure it was of it, and how long it took."""

    text: str
    certainty: Certainty
    model_s: float

    @property
    def confidence(self) -> float | None:
        return self.certainty.confidence

    def belief(self, region: Region) -> dict[str, Any] | None:
        """Where the place may be, over the part of the screenshot that the model saw, as JSON; None where it points
        nowhere, or shows only what it chose."""
        spread = self.certainty.spread
        if spread is None or self.certainty.kind != "point":
            return None
        return mix((Mode(int(spread.x_C.argmax()), 1.0, spread.x_C, spread.y_C),), region).to_json()


def canvas_of(engine: Answering, frame: Frame) -> Canvas:
    """The frame as the engine's replies count it: shares of the screenshot, or px of the picture that was shown."""
    transform = engine.transform(frame.size.width_px, frame.size.height_px)
    seen = Size(transform.resized_width_px, transform.resized_height_px)
    return Canvas(frame.size, transform.to_px, transform.to_norm, seen)


def ask(
    engine: Answering,
    turns: Sequence[Turn],
    profile: PromptProfile,
    *,
    canvas: Canvas,
    kinds: Iterable[str],
    dialect: str | None = None,
    temperature: float | None = None,
    seed: int = 0,
) -> Answer:
    """Generate one reply; at the profile's grounding temperature unless another is given.

    Where the profile is constrained the reply can be nothing else than actions of `kinds` on the canvas, in `dialect`
    (the profile's for grounding unless given), or the start of one that `max_new_tokens` cut off. CannotWrite where the
    dialect has words for none of them.
    """
    grammar = DIALECTS[dialect or profile.dialect].grammar(canvas, frozenset(kinds)) if profile.constrained else None
    started_s = time.perf_counter()
    generation = generate(engine, turns, profile, grammar=grammar, temperature=temperature, seed=seed)
    return Answer(
        text=generation.text,
        certainty=certainty(generation.tokens, engine.calibration),
        model_s=time.perf_counter() - started_s,
    )


def generate(
    engine: Answering,
    turns: Sequence[Turn],
    profile: PromptProfile,
    *,
    grammar: str | None = None,
    temperature: float | None = None,
    seed: int = 0,
) -> Generation:
    """A reply in the profile's sampling, held to a grammar if there is one."""
    return generate_all(engine, [turns], profile, grammar=grammar, temperature=temperature, seed=seed)[0]


def generate_all(
    engine: Answering,
    requests: Sequence[Sequence[Turn]],
    profile: PromptProfile,
    *,
    grammar: str | None = None,
    temperature: float | None = None,
    seed: int = 0,
) -> list[Generation]:
    """`generate` for several requests that are answered together."""
    from ..model import SamplingConfig
    from ..model.grammar import Grammar

    sampling = SamplingConfig(
        temperature=profile.temperature if temperature is None else temperature,
        top_p=profile.top_p,
        max_new_tokens=profile.max_new_tokens,
        seed=seed,
        stop=profile.stop,
        grammar=None if grammar is None else Grammar(grammar),
        thinking_tokens=profile.thinking_tokens,
        watch=(REFUSAL,),
    )
    return engine.generate_batch([_messages(turns) for turns in requests], sampling)


def continue_reply(
    engine: Answering, turns: Sequence[Turn], start: str
) -> tuple[npt.NDArray[np.float32] | None, float]:
    """The distribution of the number that a reply with this start goes on with, float32 [1000], and the seconds taken.

    None where it goes on with something else.
    """
    from ..model import Message, SamplingConfig

    started_s = time.perf_counter()
    messages = [*_messages(turns), Message("assistant", (start,), open=True)]
    tokens = engine.generate(messages, SamplingConfig(max_new_tokens=1)).tokens
    return (tokens[0].numbers if tokens else None), time.perf_counter() - started_s


def profile_of(engine: Answering) -> PromptProfile:
    """The prompt profile that suits the engine's checkpoint."""
    config = engine.config
    return profile_for(engine.name, in_token_limit=config.image.in_token_limit, vocab_size=config.text.vocab_size)


def load_engine(model: str | Path | Answering) -> Answering:
    """An engine as it is, or opened: `nano`, the folder of a checkpoint, or `openai:URL#NAME`."""
    if not isinstance(model, str | Path):
        return model
    from ..model import open_model
    from ..model.remote_address import is_remote

    if not is_remote(model):
        with unstopped():
            import_module("..model.engine", __package__)
    return open_model(model)


def _messages(turns: Sequence[Turn]) -> list[Message]:
    from ..model import Message, Picture

    return [
        Message(turn.role, tuple(part if isinstance(part, str) else Picture(part.pixels_HW3) for part in turn.parts))
        for turn in turns
    ]


def _whole(frame: Frame) -> Region:
    return Region(0, 0, frame.size.width_px, frame.size.height_px)


def _first_point(parsed: Parsed, text: str) -> Point:
    """ParseError where no action of a reply has a place."""
    points = [point for action in parsed.actions for point in action_points(action)]
    if not points:
        raise ParseError("the reply names no place", text, (0, len(text)))
    return points[0]
