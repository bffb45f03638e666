"""Plain steps done on one screen: found again as an earlier run found them, or else by the model, and recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...agent import Approval, KimiPolicy, ParseError, PromptProfile, Step, Trajectory, describe_step
from ...agent.approval import NEVER
from ...agent.loop import noted
from ...agent.replay.divergence import Found
from ...agent.steps import ClickStep, HoverStep, ScriptStep, ScrollStep, TypeStep, grounding_instruction, step_actions
from ...agent.stuck import stuck
from ...envs import (
    Action,
    Env,
    Frame,
    Move,
    Point,
    PointOffScreen,
    Refuse,
    Surroundings,
    UnsupportedAction,
    action_points,
)
from .cache import Anchored
from .failures import Ended, StepFailed, unsure
from .lazy_engine import LazyEngine
from .memory import Memory

How = Literal["cache", "model", "page"]
MOST_REPLIES = 4  # to one question, until one can be used


@dataclass(frozen=True)
class Located:
    """What told the place of a thing, and how sure a model was of it; nothing where there was none to find."""

    how: How | None = None
    confidence: float | None = None  # 0..1; None where no model told it


@dataclass(frozen=True, kw_only=True)
class HandsConfig:
    """How steps are done."""

    profile: PromptProfile | None = None
    approve: Approval = NEVER
    max_steps: int | None = None  # of the trajectory
    stop_when_stuck: bool = True
    is_dry: bool = False


class Hands:
    """Does one step at a time; `told` hears of each step of the trajectory, and what found its place."""

    def __init__(
        self,
        env: Env,
        engine: LazyEngine,
        memory: Memory | None,
        log: Trajectory,
        config: HandsConfig,
        told: Callable[[Step, How | None], None],
    ) -> None:
        self.env, self.engine, self.memory, self.log, self.config = env, engine, memory, log, config
        self.turn = 0  # of the next reply
        self.num_steps = {"cache": 0, "model": 0}  # things found
        self._told = told
        self._done: list[ScriptStep] = []  # each of which is a turn of
        self._history: list[Step] = []

    def do(self, step: ScriptStep, *, cached: bool = True, sure: float = 0.0) -> Located:
        """What found its place. StepFailed or Ended, with nothing half done but a click.

        What the model finds with less confidence than `sure` is not touched: StepFailed.
        """
        if grounding_instruction(step) is None:
            frame = self.env.observe()
            self._carry_out(self._draft(frame, None), step_actions(step, None), frame, step, [])
            return Located()
        words = words_of(step)
        memory = self.memory if cached else None
        trouble = stuck(self._history)
        in_vain = trouble is not None and trouble.about(grounding_instruction(step) or "") is not None
        kept = memory.find(words) if memory is not None and not in_vain else None
        steps = None if memory is None or kept is None else self._from_memory(memory, kept, step)
        how: How = "model" if steps is None else "cache"
        if steps is None:
            steps = self._by_model(step, sure)
        self.num_steps[how] += 1
        if memory is not None and all(each.decision in (None, "yes") for each in steps):
            memory.learn(words, steps, is_new=how == "model")
        return Located(how, steps[0].confidence)

    def point_at(self, words: str, *, cached: bool) -> Point | None:
        """Where an earlier run found something that was only looked at; None where that does not tell."""
        if self.memory is None or not cached:
            return None
        kept = self.memory.find(words)
        if kept is None:
            return None
        found, _, _ = self.memory.seek(kept, 0, None, self.env.observe())
        if found is None or not found.points:
            return None
        self.memory.count(words)
        self.num_steps["cache"] += 1
        return found.points[0]

    def saw(self, words: str, instruction: str, frame: Frame, point: Point) -> None:
        """Remember where something was found that is only looked at."""
        self.num_steps["model"] += 1
        if self.memory is None:
            return
        move = Move(x_px=point.x_px, y_px=point.y_px)
        draft = replace(self._draft(frame, instruction), action=move)
        self.memory.learn(words, (noted(draft, self.env, frame),), is_new=True)

    def record(self, action: Action, answer: str | None, frame: Frame) -> Step:
        """A step of the trajectory that touches nothing."""
        effect = replace(self.env.perform(action), answer=answer, performed=answer is not None)
        draft = replace(self._draft(frame, None), action=action, effect=effect, after=self.log.store(frame))
        self.turn += 1
        return self._append(draft, None)

    def tell_planned(self, step: Step) -> None:
        """Of a step that a model planned and performed in another loop."""
        self._told(step, "model")

    def trouble(self) -> str | None:
        """Why the run is not to go on: it goes in a circle."""
        found = stuck(self._history) if self.config.stop_when_stuck else None
        return found.said if found is not None and found.stage in ("ask", "stop") else None

    def _from_memory(self, memory: Memory, kept: Anchored, step: ScriptStep) -> tuple[Step, ...] | None:
        """None where the screen has drifted: then nothing was touched but, of a text, its field."""
        frame, done = self.env.observe(), list[Step]()
        wanted = step_actions(step, Point(0, 0))
        if len(wanted) != len(kept.steps):
            return None
        for number, action in enumerate(wanted):
            is_typing = not action_points(action)
            found, frame, said = memory.seek(kept, number, action if is_typing else None, frame)
            if found is None or (not is_typing and not found.points):
                self.turn += bool(done)
                return None
            action = action if is_typing else _at(action, found.points[0])
            draft = self._draft(frame, grounding_instruction(step))
            result = self._perform(replace(draft, action=action), action, frame, found, said)
            if result is None:  # it changed while somebody was asked
                return None
            done.append(result)
            memory.done(kept, number, action)
            if result.error:  # left out, as the person wished
                break
            frame = self.env.observe()
        self._finish_turn(step, done)
        return tuple(done)

    def _by_model(self, step: ScriptStep, sure: float) -> tuple[Step, ...]:
        policy = KimiPolicy(self.engine, profile=self.config.profile, steps=(*self._done, step), kinds=self.env.kinds)
        tries: list[Step] = []
        for _ in range(MOST_REPLIES):
            frame = self.env.observe()
            reply = policy.reply(describe_step(step), frame, (*self._history, *tries))
            draft = replace(
                self._draft(frame, reply.instruction),
                reply=reply.text,
                confidence=reply.confidence,
                belief=reply.belief,
                model_s=reply.model_s,
            )
            try:
                parsed = policy.read(reply, frame)
            except ParseError as error:
                tries.append(self._append(replace(draft, error=str(error)), "model"))
                self.turn += 1
                continue
            draft = replace(draft, thought=parsed.thought)
            if any(isinstance(action, Refuse) for action in parsed.actions):
                refusal = next(action for action in parsed.actions if isinstance(action, Refuse))
                effect = self.env.perform(refusal)
                self._append(replace(draft, action=refusal, effect=effect, after=draft.before), "model")
                self.turn += 1
                said = f"the model does not see {reply.instruction!r}"
                raise StepFailed(said, status="refused", looked_for=reply.instruction)
            if reply.confidence is not None and reply.confidence < sure:
                raise self._unsure(step, replace(draft, action=parsed.actions[0]), reply.confidence, sure)
            return self._carry_out(draft, parsed.actions, frame, step, tries)
        said = f"no reply could be used: {tries[-1].error}"
        raise StepFailed(said, status="bad_replies", looked_for=grounding_instruction(step))

    def _unsure(self, step: ScriptStep, draft: Step, confidence: float, sure: float) -> StepFailed:
        """What was found and is left alone, as a step on the disk and as a failure."""
        points = () if draft.action is None else action_points(draft.action)
        error = f"left alone: found with {confidence:.0%} only, and sure: {sure:g} asks for more"
        self._append(replace(draft, error=error), "model")
        self.turn += 1
        target = getattr(step, "target", None) or draft.instruction or ""
        return unsure(target, confidence, sure, points[0] if points else None)

    def _carry_out(
        self, draft: Step, actions: Sequence[Action], frame: Frame, step: ScriptStep, tries: list[Step]
    ) -> tuple[Step, ...]:
        done: list[Step] = []
        instruction = draft.instruction
        for action in actions:
            draft = draft if not done else self._draft(frame, instruction)
            result = self._perform(replace(draft, action=action), action, frame)
            if result is None:
                raise StepFailed("the screen changed while somebody was asked about it", looked_for=instruction)
            done.append(result)
            if result.error:
                break
            if action is not actions[-1]:
                frame = self.env.observe()
        self._finish_turn(step, done)
        return tuple(done)

    def _perform(
        self, draft: Step, action: Action, frame: Frame, found: Found | None = None, said: str = ""
    ) -> Step | None:
        """The step on the disk; one with an `error` was left out as a person wished. None: it is another screen now."""
        how: How | None = "cache" if found is not None else "model" if draft.instruction is not None else None
        if self.config.max_steps is not None and self.log.num_steps >= self.config.max_steps:
            raise StepFailed(f"{self.config.max_steps} steps are done, and no more", status="max_steps", is_final=True)
        draft = self.config.approve.consider(self.env, draft, frame)
        if draft.error:
            step = self._append(draft, how)
            if draft.decision in ("stop", "nobody"):
                is_stop = draft.decision == "stop"
                raise Ended("stopped" if is_stop else "needs_user", "" if is_stop else draft.error)
            return step
        assert draft.action is not None
        known = None if found is None or draft.decision == "instead" else found.surroundings
        if draft.decision is not None and self._is_another(frame, draft.action, known):
            return None
        action, draft = draft.action, noted(draft, self.env, frame)
        try:
            effect = self.env.perform(action)
        except (UnsupportedAction, PointOffScreen) as error:
            self._append(replace(draft, error=str(error)), how)
            self.turn += 1
            raise StepFailed(str(error), looked_for=draft.instruction) from error
        after = self.env.observe()
        if said:
            effect = replace(effect, detail=f"{effect.detail}; {said}")
        return self._append(replace(draft, effect=effect, after=self.log.store(after)), how)

    def _is_another(self, frame: Frame, action: Action, known: Surroundings | None) -> bool:
        """Whether what was approved is not what would be touched by now."""
        from ...agent.replay.ladder import Ladder

        if not action_points(action):
            return False
        return not Ladder(self.env, reads=False).is_still(frame, self.env.observe(), known, action)

    def _finish_turn(self, step: ScriptStep, steps: Sequence[Step]) -> None:
        self.turn += 1
        self._done.append(step)
        self._history += steps

    def _draft(self, frame: Frame, instruction: str | None) -> Step:
        return Step(
            index=self.log.num_steps,
            turn=self.turn,
            before=self.log.store(frame),
            after=None,
            action=None,
            instruction=instruction,
            started_at_s=time.time(),
            started_mono_s=time.monotonic(),
        )

    def _append(self, step: Step, how: How | None) -> Step:
        step = self.log.append(step)
        self._told(step, how)
        return step


def words_of(step: ScriptStep) -> str:
    """What names the thing, and what is done to it, whatever text is typed."""
    match step:
        case TypeStep(target=str(target)):
            return f"type into {target}"
        case HoverStep(target=target):
            return f"hover {target}"
        case ScrollStep(target=str(target)):
            return f"scroll over {target}"
        case ClickStep():
            return describe_step(step)
        case _:
            return ""


def _at(action: Action, point: Point) -> Action:
    return action.model_copy(update={"x_px": point.x_px, "y_px": point.y_px})
