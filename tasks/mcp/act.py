"""The tool `act`: one action, its places found by the model where they are given in words."""

from __future__ import annotations

from typing import assert_never

from ...agent import Step, Target, TargetRefused, locate
from ...agent.steps import ClickStep, TypeStep, grounding_instruction
from ...envs import (
    Action,
    AnswerDialog,
    Back,
    Click,
    CloseTab,
    Drag,
    Forward,
    Frame,
    Move,
    Navigate,
    NewTab,
    Point,
    PressKeys,
    Reload,
    Scroll,
    SelectOption,
    SwitchTab,
    TypeText,
    Wait,
    action_points,
    describe,
    in_words,
)
from ..errors import BadRequest
from .arguments import ActArguments
from .calls import Call
from .results import ActResult, Reply, picture_of, quoted
from .screen import KeptScreen

HOW_TO_FIND = "name it as the screen writes it, look with screenshot, or give x_px and y_px"
HOW_TO_ALLOW = (
    "tell the user, who can do it by hand, use a client that asks them (elicitation), or start moonhand mcp with "
    "--approve never"
)
SEEN = {
    "changed_near": "the screen changed near it",
    "changed_far": "the screen changed elsewhere",
    "no_change": "the screen did not change",
    "still_moving": "the screen is still moving",
}


def act(kept: KeptScreen, given: ActArguments, call: Call) -> Reply:
    """Find its places, do it, and tell what it did. TargetRefused where the model does not see one."""
    frame = kept.env.observe()
    target = _find(kept, given, frame, given.target)
    end = _find(kept, given, frame, given.to_target)
    place = _point(target, given.x_px, given.y_px)
    steps: list[Step] = []
    for action in actions_of(given, place, _point(end, given.to_x_px, given.to_y_px)):
        if steps:
            frame = kept.env.observe()
        steps.append(kept.perform(action, frame, call, None if steps else target))
        if steps[-1].error or call.is_cancelled:
            break
    return _told(kept, given, steps)


def actions_of(given: ActArguments, place: Point | None, end: Point | None) -> tuple[Action, ...]:
    """What to perform once the places are known. BadRequest for keys that are none."""
    kind = given.action
    if kind in ("wait", "navigate", "back", "forward", "reload", "tab_new", "tab_switch", "tab_close", "dialog", "key"):
        return (_without_a_place(given),)
    if kind in ("type", "scroll"):
        x_px, y_px = (None, None) if place is None else (place.x_px, place.y_px)
        if kind == "scroll":
            return (Scroll(dx=given.right or 0.0, dy=given.down or 0.0, x_px=x_px, y_px=y_px),)
        typing = TypeText(text=given.text or "", clear=given.clear is True, submit=given.submit is True)
        return (typing,) if place is None else (Click(x_px=place.x_px, y_px=place.y_px), typing)
    assert place is not None  # the arguments were checked
    x_px, y_px = place.x_px, place.y_px
    match kind:
        case "click" | "tick":
            return (Click(x_px=x_px, y_px=y_px),)
        case "double_click":
            return (Click(x_px=x_px, y_px=y_px, count=2),)
        case "triple_click":
            return (Click(x_px=x_px, y_px=y_px, count=3),)
        case "right_click":
            return (Click(x_px=x_px, y_px=y_px, button="right"),)
        case "middle_click":
            return (Click(x_px=x_px, y_px=y_px, button="middle"),)
        case "hover":
            return (Move(x_px=x_px, y_px=y_px),)
        case "select_option":
            return (SelectOption(x_px=x_px, y_px=y_px, option=given.option or ""),)
        case "drag":
            assert end is not None
            return (Drag(path=(place, end)),)
        case _:
            assert_never(kind)


def _without_a_place(given: ActArguments) -> Action:
    match given.action:
        case "key":
            try:
                return PressKeys(keys=tuple(given.keys or ()), repeat=given.repeat or 1)
            except ValueError as error:  # of pydantic, over several lines
                said = str(error).splitlines()[2].strip().partition(" [type=")[0].removeprefix("Value error, ")
                raise BadRequest(f"keys: {said}") from error
        case "wait":
            return Wait(seconds_s=1.0 if given.seconds_s is None else given.seconds_s, until=given.until)
        case "navigate":
            return Navigate(url=given.url or "")
        case "tab_new":
            return NewTab(url=given.url or "")
        case "tab_switch":
            return SwitchTab(index=given.index or 0)
        case "tab_close":
            return CloseTab(index=given.index)
        case "dialog":
            return AnswerDialog(accept=given.accept is True, text=given.text or "")
        case "back":
            return Back()
        case "forward":
            return Forward()
        case _:
            return Reload()


def _find(kept: KeptScreen, given: ActArguments, frame: Frame, words: str | None) -> Target | None:
    """Where the model sees it; asked in the words that suit the action."""
    if words is None:
        return None
    match given.action:
        case "type":
            instruction = grounding_instruction(TypeStep(text="", target=words))
        case "tick":
            instruction = grounding_instruction(ClickStep(target=words, verb="tick"))
        case "hover" | "scroll" | "drag" | "select_option":
            instruction = words
        case _:
            instruction = grounding_instruction(ClickStep(target=words))
    target = locate(kept.engine, frame, instruction or words, kept.profile)
    if target.point is None:
        raise TargetRefused(f"{words!r}: {target.error or 'the model does not see it'}; {HOW_TO_FIND}")
    return target


def _point(target: Target | None, x_px: float | None, y_px: float | None) -> Point | None:
    if target is not None:
        return target.point
    return None if x_px is None or y_px is None else Point(x_px, y_px)


def _told(kept: KeptScreen, given: ActArguments, steps: list[Step]) -> Reply:
    last = steps[-1]
    done = [step for step in steps if step.effect is not None and step.effect.performed]
    points = [point for step in steps if step.action for point in action_points(step.action)[:1]]
    effect = last.effect
    notes = [note for step in steps for note in notes_of(step)]
    if effect is not None and effect.answer is not None:
        notes.append(effect.answer)
    confidence = next((step.confidence for step in steps if step.confidence is not None), None)
    result = ActResult(
        performed=bool(done) and last.error is None,
        did=[describe(step.action) for step in done if step.action],
        changed=None if effect is None else any(step.effect.changed for step in steps if step.effect),
        change=None if effect is None else effect.change,
        x_px=points[0].x_px if points else None,
        y_px=points[0].y_px if points else None,
        confidence=confidence,
        risks=sorted({risk for step in steps for risk in step.risks}),
        error=why_not(last),
        trajectory=str(kept.acts.path),
        from_screen=kept.from_screen(*notes),
    )
    shown = None
    if given.screenshot:
        shown, _ = picture_of(kept.env.observe(), given.max_px)
    return Reply(
        words=_in_words(last, result) + quoted(result.from_screen),
        data=result,
        picture=shown,
        is_error=last.error is not None,
    )


def _in_words(last: Step, result: ActResult) -> str:
    done = ", then ".join(result.did)
    if result.error:
        return (f"Done: {done}. " if done else "") + f"Not done: {result.error}"
    if not result.performed:
        return "There was nothing to do"
    sure = "" if result.confidence is None else f" (found with {result.confidence:.0%} confidence)"
    return f"Done: {done}{sure}; {SEEN.get(result.change or '', 'nobody looked at what changed')}."


def why_not(step: Step) -> str | None:
    """Why it was not done, with the next step where nobody could be asked; None where it was."""
    if step.decision != "nobody" or step.action is None:
        return step.error
    risks = f" ({in_words(step.risks)})" if step.risks else ""
    sought = "" if step.instruction is None else f" for {step.instruction!r}"
    return f"{describe(step.action)}{sought}{risks} needs the user's yes, and this client cannot ask: {HOW_TO_ALLOW}"


def notes_of(step: Step) -> list[str]:
    """What happened on the side, which may be in the page's words."""
    if step.effect is None or step.action is None:
        return []
    said, action = step.effect.detail, describe(step.action)
    notes = said.removeprefix(action) if said.startswith(action) else said.partition("; ")[2]
    return [note for note in notes.split("; ") if note]
