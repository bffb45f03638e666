"""Kimi-VL as a policy: the only file of this package that talks to `moonhand.model`, and it does so at first use."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..envs import Finish, Frame, Refuse, action_points
from .confidence import REFUSAL, Certainty, certainty
from .dialects import Parsed, parse_kimi
from .errors import ParseError
from .policy import Reply, failures_in_a_row, turns_done
from .prompts import PromptProfile, Turn, agent_turns, grounding_turns, profile_for
from .steps import ScriptStep, describe_step, grounding_instruction, parse_steps, step_actions
from .trajectory import Step

if TYPE_CHECKING:
    from ..model import Engine

RETRY_TEMPERATURE = 0.7  # a greedy reply that failed would only come again


class KimiPolicy:
    """Asks an engine what to do next.

    A profile that plans is given the goal. One that does not, or any when `steps` are given, works through plain steps
    (read from the goal unless given) and only finds each step's target in the pixels.
    """

    def __init__(
        self, engine: Engine, *, profile: PromptProfile | None = None, steps: Sequence[ScriptStep] | None = None
    ) -> None:
        self._engine = engine
        self._profile = profile or profile_of(engine)
        self._steps = None if steps is None else tuple(steps)

    @property
    def profile(self) -> PromptProfile:
        return self._profile

    def reply(self, goal: str, frame: Frame, history: Sequence[Step]) -> Reply:
        """One turn. BadGoal where plain steps are needed and the goal is not made of them."""
        if self._profile.plans and self._steps is None:
            turns = agent_turns(self._profile, frame, goal, history)
            temperature, num_failed = self._profile.agent_temperature, len(failures_in_a_row(history))
            if num_failed and self._profile.history == "verbs":  # which tells the model nothing of its failures
                temperature = RETRY_TEMPERATURE
            answer = ask(self._engine, turns, self._profile, temperature=temperature, seed=num_failed)
            return Reply(text=answer.text, confidence=answer.confidence, model_s=answer.model_s)
        steps = parse_steps(goal) if self._steps is None else self._steps
        num_done = turns_done(history)
        if num_done >= len(steps):
            return Reply(text="finish()", actions=(Finish(),))
        step = steps[num_done]
        instruction = grounding_instruction(step)
        if instruction is None:
            return Reply(text=describe_step(step), actions=step_actions(step, None), step=step)
        turns = grounding_turns(self._profile, frame, instruction)
        num_failed = len(failures_in_a_row(history))
        answer = ask(
            self._engine, turns, self._profile, temperature=RETRY_TEMPERATURE if num_failed else None, seed=num_failed
        )
        return Reply(
            text=answer.text,
            instruction=instruction,
            step=step,
            confidence=answer.confidence,
            model_s=answer.model_s,
        )

    def read(self, reply: Reply, frame: Frame) -> Parsed:
        """The actions of a reply; of a grounded step, those that the step makes of the point found."""
        if reply.actions is not None:
            return Parsed(reply.actions)
        to_px = self._engine.transform(frame.size.width_px, frame.size.height_px).to_px
        parsed = parse_kimi(reply.text, to_px)
        if reply.step is None or isinstance(parsed.actions[0], Refuse):
            return parsed
        points = [point for action in parsed.actions for point in action_points(action)]
        if not points:
            raise ParseError("the reply names no place", reply.text, (0, len(reply.text)))
        return Parsed(step_actions(reply.step, points[0]), parsed.thought, reply.instruction)

    def manifest(self) -> Mapping[str, Any]:
        steps = None if self._steps is None else [describe_step(step) for step in self._steps]
        return {
            "kind": "kimi",
            "model": self._engine.manifest(),
            "prompt": {"sha256": self._profile.sha256, **asdict(self._profile)},
            "steps": steps,
        }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model wrote, how sure it was of it, and how long it took."""

    text: str
    certainty: Certainty
    model_s: float

    @property
    def confidence(self) -> float | None:
        return self.certainty.confidence


def ask(
    engine: Engine, turns: Sequence[Turn], profile: PromptProfile, *, temperature: float | None = None, seed: int = 0
) -> Answer:
    """Generate one reply; at the profile's grounding temperature unless another is given."""
    from ..model import Message, Picture, SamplingConfig

    messages = [
        Message(turn.role, tuple(part if isinstance(part, str) else Picture(part.pixels_HW3) for part in turn.parts))
        for turn in turns
    ]
    sampling = SamplingConfig(
        temperature=profile.temperature if temperature is None else temperature,
        max_new_tokens=profile.max_new_tokens,
        seed=seed,
        watch_ids=tuple(engine.tokenizer.encode(REFUSAL)[:1]),
    )
    started_s = time.perf_counter()
    generation = engine.generate(messages, sampling)
    return Answer(
        text=generation.text,
        certainty=certainty(generation.tokens, engine.calibration),
        model_s=time.perf_counter() - started_s,
    )


def profile_of(engine: Engine) -> PromptProfile:
    """The prompt profile that suits the engine's checkpoint."""
    config = engine.config
    return profile_for(engine.name, in_token_limit=config.image.in_token_limit, vocab_size=config.text.vocab_size)


def load_engine(model: str | Path | Engine) -> Engine:
    """An engine as it is, or loaded: `nano`, or the folder of a checkpoint."""
    if not isinstance(model, str | Path):
        return model
    from ..model import load

    return load(model)
