"""A script carried out, step by step."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ...agent import KimiPolicy, RunConfig
from ...agent.approval import Approval
from ...agent.loop import Ask
from ...agent.loop import run as run_goal
from ...agent.named import checked_name
from ...agent.steps import KeyStep, ScriptStep, WaitStep
from .conditions import Verdict, filled, in_words, verdict
from .document import chord
from .failure_picture import draw_failure
from .failures import Ended, StepFailed
from .hands import Hands, Located
from .known import ROUND, resolved
from .outcome import StepResult
from .part import Part
from .reading import read_off
from .rounds import rounds_told, rows_of
from .tree import EXPECT_S, Act, Condition, Do, Expect, Extract, If, Include, Node, Repeat, Script
from .values import NoValue, Value, fill, fill_fields, fill_value
from .wording import not_begun

PAUSE_S = 0.5  # before another try, and longer before later ones
LONGEST_PAUSE_S = 3.0

Scope = ChainMap[str, Value]  # the last map is the script's own


@dataclass(frozen=True, kw_only=True)
class RunnerConfig:
    """How a script is carried out, beside how its steps are done."""

    goal_steps: int = 25  # of one `do:`
    approve: Approval = field(default_factory=Approval)  # of what a model plans
    ask: Ask | None = None
    sure: float | None = None  # in place of what scripts say for all their steps


@dataclass(frozen=True)
class _Found:
    """What came of a step that was done."""

    by: Located = field(default_factory=Located)
    said: str = ""


@dataclass(eq=False)
class Runner:
    """One run of one script. `told` hears of every step when it is over."""

    script: Script
    hands: Hands
    config: RunnerConfig
    told: Callable[[StepResult], None]
    results: list[StepResult] = field(default_factory=list[StepResult])
    variables: dict[str, Value] = field(default_factory=dict[str, Value])  # read off the screen
    failures: list[str] = field(default_factory=list[str])  # of steps after which the run went on
    num_expected: int = 0  # things expected that were so
    _deadlines: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    _sure: list[float] = field(default_factory=list[float])  # of what a step lies within; the last holds

    def run(self, values: Mapping[str, Value]) -> None:
        """All steps. StepFailed or Ended where the run ends before; what the screen raises goes on."""
        if self.script.timeout_s is not None:
            said = f"the script's {self.script.timeout_s:g} s were over"
            self._deadlines.append((time.monotonic() + self.script.timeout_s, said))
        with self._as_sure(self.script.sure if self.config.sure is None else self.config.sure):
            self._steps(self.script.steps, Scope(dict(values)), "", 0)

    def _steps(self, nodes: Sequence[Node], scope: Scope, prefix: str, depth: int) -> None:
        for number, node in enumerate(nodes, start=1):
            try:
                self._step(node, scope, f"{prefix}{number}", depth)
            except BaseException:  # whatever ends it: those after it are told too
                first = self.hands.log.num_steps
                for later, one in enumerate(nodes[number:], start=number + 1):
                    self.results.append(not_begun(one, scope, f"{prefix}{later}", depth, first))
                raise

    def _step(self, node: Node, scope: Scope, number: str, depth: int) -> None:
        at, first, start_s = len(self.results), self.hands.log.num_steps, time.monotonic()
        result = not_begun(node, scope, number, depth, first)
        self.results.append(result)
        if node.timeout_s is not None:
            self._deadlines.append((start_s + node.timeout_s, f"its {node.timeout_s:g} s were over"))
        num_tries, found, failure = 0, _Found(), None
        try:
            while True:
                num_tries += 1
                try:
                    self._check_time()
                    with self._as_sure(node.sure):
                        found, failure = self._carry_out(node, scope, number, depth), None
                    break
                except (StepFailed, NoValue) as error:
                    failure = error if isinstance(error, StepFailed) else StepFailed(str(error), is_final=True)
                    pause_s = min(PAUSE_S * num_tries, LONGEST_PAUSE_S)
                    if failure.is_final or num_tries > node.retries or self._left_s() <= pause_s:
                        break
                    time.sleep(pause_s)
        finally:
            if node.timeout_s is not None:
                self._deadlines.pop()
            result = replace(
                result,
                how=found.by.how,
                confidence=found.by.confidence if failure is None else failure.confidence,
                found=found.said,
                took_s=time.monotonic() - start_s,
                num_tries=num_tries,
                num_steps=self.hands.log.num_steps - first,
            )
            self.results[at] = result
        if failure is None:
            self.results[at] = replace(result, status="passed")
        else:
            is_drawn = not (failure.is_told or self.script.on_failure == "none" or self.hands.config.is_dry)
            path = self.hands.log.path / f"failed-{number}.png"
            picture = draw_failure(failure, self.hands.env, path) if is_drawn else None
            status = "tolerated" if node.optional else "failed"
            self.results[at] = replace(result, status=status, error=failure.said, picture=picture)
        self.told(self.results[at])
        if failure is None or node.optional:
            return
        if node.continue_on_error:
            self.failures.append(f"{node.spot}: {failure.said}")
            return
        failure.is_told = True
        raise failure

    def _carry_out(self, node: Node, scope: Scope, number: str, depth: int) -> _Found:
        inner = f"{number}.", depth + 1
        match node.deed:
            case Act(step=step):
                by = self.hands.do(self._filled(step, scope), cached=node.cached, sure=self._floor)
                if (trouble := self.hands.trouble()) is not None:
                    raise StepFailed(trouble, status="stuck", is_final=True)
                return _Found(by)
            case Do(acts=()) as goal:
                return self._plan(fill(goal.goal, scope))
            case Do(acts=acts):
                self._steps(acts, scope, *inner)
                return _Found()
            case Expect(condition=condition):
                return self._expect(condition, scope)
            case Extract() as asked:
                filled = fill_fields(asked, scope)
                value, by = read_off(self.hands, filled, cached=node.cached, sure=self._floor)
                scope.maps[-1][asked.name] = self.variables[asked.name] = value
                return _Found(by, f"{asked.name} is {value!r}")
            case If(condition=condition) as branch:
                found = self._look(condition, scope)
                self._steps(branch.then if found.holds else branch.otherwise, scope, *inner)
                return _Found(_by(found), ("yes" if found.holds else "no") + (f": {found.said}" if found.said else ""))
            case Repeat() as repeat:
                return self._repeat(repeat, scope, *inner)
            case Include(script=script, values=given):
                self._include(script, {name: fill_value(value, scope) for name, value in given.items()}, scope, *inner)
                return _Found()

    def _filled(self, step: ScriptStep, scope: Scope) -> ScriptStep:
        step = fill_fields(step, scope)
        try:
            if (target := getattr(step, "target", None)) is not None:
                checked_name(target)
            if isinstance(step, KeyStep) and any("{{" in key for key in step.keys):
                return replace(step, keys=chord(fill("+".join(step.keys), scope)))
        except ValueError as error:
            raise StepFailed(str(error), is_final=True) from error
        if isinstance(step, WaitStep):
            return replace(step, seconds_s=min(step.seconds_s, max(0.0, self._left_s())))
        return step

    def _expect(self, condition: Condition, scope: Scope) -> _Found:
        if self.hands.config.is_dry:
            return _Found(said="not looked at in a dry run")
        timeout_s = self._at_most(EXPECT_S if condition.timeout_s is None else condition.timeout_s)
        found = verdict(condition, self.hands.env, self.hands.engine, scope, timeout_s, sure=self._floor)
        if not found.holds:
            wanted = in_words(filled(condition, scope))
            waited = f" within {timeout_s:.3g} s" if timeout_s else ""
            said = f"expected {wanted}{waited}: {found.said}"
            raise StepFailed(said, looked_for=wanted, confidence=found.confidence)
        self.num_expected += 1
        return _Found(_by(found), found.said)

    def _look(self, condition: Condition, scope: Scope) -> Verdict:
        """At once, unless it says how long. A dry run asks no page, for that might do something."""
        if self.hands.config.is_dry and condition.js is not None:
            return Verdict(True, "not asked in a dry run")
        timeout_s = self._at_most(condition.timeout_s)
        return verdict(condition, self.hands.env, self.hands.engine, scope, timeout_s, sure=self._floor)

    def _repeat(self, repeat: Repeat, scope: Scope, prefix: str, depth: int) -> _Found:
        if repeat.until is not None:
            return self._until(repeat, repeat.until, scope, prefix, depth)
        rows = rows_of(repeat, scope)
        for number, row in enumerate(rows, start=1):
            held: dict[str, Value] = {ROUND: number} | ({} if repeat.each is None else {repeat.each: row})
            self._steps(repeat.steps, scope.new_child(held), f"{prefix}{number}.", depth)
        return _Found(said=rounds_told(len(rows)))

    def _until(self, repeat: Repeat, until: Condition, scope: Scope, prefix: str, depth: int) -> _Found:
        for number in range(repeat.at_most + 1):
            found = self._look(until, scope)
            if found.holds or (self.hands.config.is_dry and number):
                return _Found(_by(found), f"{rounds_told(number)}: {found.said}")
            if number == repeat.at_most:
                wanted = in_words(filled(until, scope))
                said = f"after {rounds_told(number)} still not {wanted}: {found.said}"
                raise StepFailed(said, looked_for=wanted, is_final=True)
            self._steps(repeat.steps, scope.new_child({ROUND: number + 1}), f"{prefix}{number + 1}.", depth)
        raise AssertionError("the last look ends it")

    def _include(self, script: Script, given: Mapping[str, Value], scope: Scope, prefix: str, depth: int) -> None:
        own = Scope(resolved(script, given) | dict(given))
        before = set(own)
        with self._as_sure(None if self.config.sure is not None else script.sure):
            self._steps(script.steps, own, prefix, depth)
        for check in script.checks:
            if not self.hands.config.is_dry:
                self._expect(Condition(js=check.js, equals=check.equals, has_equals=True, timeout_s=0), own)
        scope.maps[-1].update({name: value for name, value in own.items() if name not in before})

    def _plan(self, goal: str) -> _Found:
        hands = self.hands
        policy = KimiPolicy(hands.engine, profile=hands.config.profile, kinds=hands.env.kinds)
        if not policy.profile.plans:
            said = f"{policy.profile.name} does not plan: give plain steps, or load a checkpoint that does"
            raise StepFailed(said, is_final=True)
        part = Part(hands.log, hands.turn, hands.tell_planned)
        settings = RunConfig(
            max_steps=self.config.goal_steps,
            max_turns=1 if hands.config.is_dry else None,
            stop_when_stuck=hands.config.stop_when_stuck,
        )
        steps = run_goal(hands.env, policy, goal, part, settings, approve=self.config.approve, ask=self.config.ask)
        try:
            for _ in steps:
                self._check_time()
        finally:
            hands.turn = part.turn
        result = part.result
        assert result is not None  # the loop leaves with one or raises
        if result.status in ("stopped", "needs_user"):
            raise Ended(result.status, result.answer)
        if result.status != "finished" and not hands.config.is_dry:
            said = result.error or result.answer or "the goal was not reached"
            raise StepFailed(f"{result.status}: {said}", status=result.status, looked_for=goal)
        return _Found(Located("model"), result.answer)

    @property
    def _floor(self) -> float:
        """The confidence below which nothing is touched, 0..1."""
        return self._sure[-1] if self._sure else 0.0

    @contextmanager
    def _as_sure(self, sure: float | None) -> Generator[None]:
        """Of the steps in its block, but where one says otherwise. None: as around it."""
        self._sure.append(self._floor if sure is None else sure)
        try:
            yield
        finally:
            self._sure.pop()

    def _left_s(self) -> float:
        return min((deadline_s for deadline_s, _ in self._deadlines), default=float("inf")) - time.monotonic()

    def _at_most(self, wait_s: float | None) -> float:
        return max(0.0, min(wait_s or 0.0, self._left_s()))

    def _check_time(self) -> None:
        if self._left_s() <= 0:
            _, said = min(self._deadlines)
            raise StepFailed(said, is_final=True)


def _by(found: Verdict) -> Located:
    return Located(found.how, found.confidence)
