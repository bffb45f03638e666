"""The policy of a recorded run asked again, on the frames and the history that it had; nothing is performed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from PIL import Image
from pydantic import TypeAdapter, ValidationError

from ...agent import KimiPolicy, Mark, ParseError, PromptProfile, Recording, ScriptStep, Step, draw, parse_steps
from ...agent.overlay import ACCENT, CHOSEN
from ...agent.policy import turns_done
from ...agent.profiles import PROFILES
from ...agent.steps import ClickStep, TypeStep
from ...envs import Action, AskUser, TypeText, action_points, action_to_json
from ..errors import BadRequest
from .differences import Difference, differences, distance_px, in_words, near_px
from .run_words import section

if TYPE_CHECKING:
    from ...model import Engine

_PROFILE = TypeAdapter(PromptProfile)


@dataclass(frozen=True, kw_only=True)
class Again:
    """What was recorded for a step, and what the policy says now."""

    step: Step
    action: Action | None  # now; None where the reply cannot be read, or has no action at this place
    reply: str | None  # of the first step of a turn, as its time and confidence
    confidence: float | None
    model_s: float
    error: str | None  # why the reply cannot be read
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        return not self.differences

    @property
    def same_kind(self) -> bool:
        return all(difference.what != "kind" for difference in self.differences)

    @property
    def distance_px(self) -> float | None:
        """Between the places; None where it is another kind, or has none."""
        if not self.same_kind or self.action is None or not action_points(self.action):
            return None
        return distance_px(self.step.action, self.action)

    def to_json(self) -> dict[str, Any]:
        step = self.step
        return {
            "step": step.index + 1,
            "same": self.same,
            "differences": [difference.to_json() for difference in self.differences],
            "distance_px": self.distance_px,
            "recorded": _side(step.action, step.reply, step.confidence, step.error, step.model_s),
            "now": _side(self.action, self.reply, self.confidence, self.error, self.model_s),
        }


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """How the steps of a recording are asked again.

    `prompt` with `{instruction}` in it is the profile's text; else it stands in place of the goal, or of the target of
    the one step that is asked. Places at most `tolerance_px` apart are the same; None: a hundredth of the frame's
    longer side.
    """

    recording: Recording
    engine: Engine
    profile: PromptProfile
    prompt: str | None = None
    seed: int = 0
    tolerance_px: float | None = None

    def step(self, step: Step) -> Again:
        """One step. TrajectoryError where a picture is missing; BadGoal, BadRequest where it cannot be asked."""
        return self._turn([step])[0]

    def all_steps(self) -> Iterator[Again]:
        """Every step that `is_asked`, in order; the model is asked once a turn."""
        turns: dict[int, list[Step]] = {}
        for step in self.recording.steps:
            if is_asked(step):
                turns.setdefault(step.turn, []).append(step)
        for steps in turns.values():
            yield from self._turn(steps)

    def _turn(self, steps: Sequence[Step]) -> list[Again]:
        of_turn = [step for step in self.recording.steps if step.turn == steps[0].turn]
        history = tuple(step for step in self.recording.steps if step.index < of_turn[0].index)
        frame = of_turn[0].before.read()
        policy, goal, history = self._policy(of_turn[0], history)
        reply = policy.reply(goal, frame, history)
        actions: tuple[Action, ...] = ()
        error = None
        try:
            actions = policy.read(reply, frame).actions
        except ParseError as failed:
            error = str(failed)
        answers: list[Again] = []
        for step in steps:
            place = of_turn.index(step)
            action = actions[place] if place < len(actions) else None
            missing = f"the reply has {len(actions)} actions now" if action is None and error is None else None
            tolerance_px = near_px(frame.size) if self.tolerance_px is None else self.tolerance_px
            answers.append(
                Again(
                    step=step,
                    action=action,
                    reply=None if place else reply.text,
                    confidence=None if place else reply.confidence,
                    model_s=0.0 if place else reply.model_s,
                    error=error or missing,
                    differences=differences(step.action, action, tolerance_px),
                )
            )
        return answers

    def _policy(self, step: Step, history: tuple[Step, ...]) -> tuple[KimiPolicy, str, tuple[Step, ...]]:
        """Who is asked, for what, and after what."""
        run, profile, prompt = self.recording.run, self.profile, self.prompt
        goal = self.recording.goal
        if prompt is not None and "{instruction}" in prompt:
            profile, prompt = _with_template(profile, prompt), None
        steps = plain_steps_of(self.recording)
        if not was_asked_of_a_model(run) and not profile.plans:
            steps, history = (ClickStep(target=prompt or target_of(step)),), ()
        elif not profile.plans and steps is None:
            steps = parse_steps(goal)
        elif prompt is not None and steps is None:
            goal = prompt
        if prompt is not None and steps is not None:
            steps = _with_target(steps, turns_done(history), prompt)
        kinds = section(run, "policy").get("kinds")
        return KimiPolicy(self.engine, profile=profile, steps=steps, kinds=kinds, seed=self.seed), goal, history


def is_asked(step: Step) -> bool:
    """Whether the step was a policy's: not a question that the run itself put, nor what a person chose instead."""
    is_own_question = isinstance(step.action, AskUser) and step.reply is None
    return not is_own_question and step.decision != "instead"


def was_asked_of_a_model(run: Mapping[str, Any]) -> bool:
    return section(run, "policy").get("kind") == "kimi"


def profile_of_run(run: Mapping[str, Any]) -> PromptProfile | None:
    """The prompt profile that is written in `run.json`; what an older one lacks is today's of its name.

    None where none is written; BadRequest where it makes no sense any more.
    """
    said = section(run, "policy", "prompt")
    if "name" not in said:
        return None
    known = {field.name for field in fields(PromptProfile)}
    base = asdict(PROFILES[said["name"]]) if said["name"] in PROFILES else {}
    merged = base | {name: value for name, value in said.items() if name in known}
    try:
        return _PROFILE.validate_json(json.dumps(merged, default=str), strict=True)
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise BadRequest(f"the recorded prompt profile cannot be used any more ({why}): give --profile") from error


def plain_steps_of(recording: Recording) -> tuple[ScriptStep, ...] | None:
    """The plain steps that the policy worked through; None where it was given the goal. BadGoal for unreadable ones."""
    said = section(recording.run, "policy").get("steps")
    if not isinstance(said, list):
        return None
    steps = [parse_steps(str(line))[0] for line in said]
    failed = {step.turn for step in recording.steps if step.error and step.decision != "skip"}
    clearing = {step.turn for step in recording.steps if isinstance(step.action, TypeText) and step.action.clear}
    turns = sorted({step.turn for step in recording.steps} - failed)
    for number, (turn, plain) in enumerate(zip(turns, steps, strict=False)):
        if turn in clearing and isinstance(plain, TypeStep):  # which the words of a step do not say
            steps[number] = replace(plain, clear=True)
    return tuple(steps)


def target_of(step: Step) -> str:
    """What somebody who acted without a model touched, in words. BadRequest where nothing tells."""
    element = None if step.surroundings is None else step.surroundings.element
    said = step.instruction or (element and (element.name or element.text))
    if not said or step.action is None or not action_points(step.action):
        raise BadRequest(
            f"step {step.index + 1}: nothing in the record says in words what was touched, and this run was not a "
            "model's: give --prompt, or a --model that plans"
        )
    return said


def changed_model(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Difference, ...]:
    """In what the model's manifest differs from the recorded one, as far as that goes."""
    found: list[Difference] = []
    for name, value in recorded.items():
        other = now.get(name)
        if name in ("versions", "image_processor"):
            found += changed_model(value, other or {})
        elif other != value and name != "settings":  # of the engine, which change no answer
            found.append(Difference(what=name, one=_short(value), other=_short(other)))
    return tuple(found)


def draw_both(again: Again) -> Image.Image:
    """The frame with the recorded place and the one of now; one mark where they are the same."""
    step = again.step
    if again.same and again.distance_px in (0, None):
        return draw(step.before.read(), _marks(again.action, "then and now", CHOSEN))
    marks = _marks(step.action, "then", ACCENT)
    return draw(step.before.read(), [*marks, *_marks(again.action, "now", CHOSEN, low=not marks[-1].x_px)])


def _marks(action: Action | None, when: str, colour: tuple[int, int, int], *, low: bool = False) -> list[Mark]:
    said = f"{when}: {in_words(action)}"
    points = () if action is None else action_points(action)
    marks = [Mark(label="", x_px=point.x_px, y_px=point.y_px, colour=colour) for point in points]
    if marks:
        return [*marks[:-1], replace(marks[-1], label=said)]
    return [Mark(label=said, colour=colour)]


def _with_template(profile: PromptProfile, text: str) -> PromptProfile:
    name = f"{profile.name} with another prompt"
    return replace(profile, name=name, grounding_user=text, agent_user=profile.agent_user and text)


def _with_target(steps: tuple[ScriptStep, ...], number: int, target: str) -> tuple[ScriptStep, ...]:
    """BadRequest where the step has no target that a model is asked for."""
    step = steps[number] if number < len(steps) else None
    if step is None or not getattr(step, "target", None):
        raise BadRequest("--prompt: at this step the model was asked for nothing; leave it out, or choose another step")
    changed: Any = replace(step, target=target)
    return (*steps[:number], changed, *steps[number + 1 :])


def _side(
    action: Action | None, reply: str | None, confidence: float | None, error: str | None, model_s: float
) -> dict[str, Any]:
    told = None if action is None else action_to_json(action)
    return {"action": told, "reply": reply, "confidence": confidence, "error": error, "model_s": model_s}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
