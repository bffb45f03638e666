"""What the documents of a script file stand for."""

from __future__ import annotations

from ...agent.steps import (
    BackStep,
    ClickStep,
    HoverStep,
    KeyStep,
    NavigateStep,
    ScriptStep,
    ScrollStep,
    TypeStep,
    WaitStep,
)
from .document import ConditionDocument, StepDocument, chord
from .tree import Condition


def act_of(document: StepDocument) -> ScriptStep:
    """Of a step that touches the screen. Keys with variables in them are one text, to be filled in."""
    match document:
        case StepDocument(click=str(target)):
            return ClickStep(target=target)
        case StepDocument(double_click=str(target)):
            return ClickStep(target=target, count=2)
        case StepDocument(right_click=str(target)):
            return ClickStep(target=target, button="right")
        case StepDocument(tick=str(target)):
            return ClickStep(target=target, verb="tick")
        case StepDocument(hover=str(target)):
            return HoverStep(target=target)
        case StepDocument(type=typing) if typing is not None:
            return TypeStep(text=typing.text, target=typing.into, clear=typing.clear, submit=typing.submit)
        case StepDocument(key=str(key)):
            return KeyStep(keys=(key,) if "{{" in key else chord(key))
        case StepDocument(scroll=scrolling) if scrolling is not None:
            return ScrollStep(dx=scrolling.dx, dy=scrolling.dy, target=scrolling.over)
        case StepDocument(wait=float() | int() as seconds_s):
            return WaitStep(seconds_s=float(seconds_s))
        case StepDocument(navigate=str(url)):
            return NavigateStep(url=url)
        case _:
            return BackStep()


def condition_of(document: ConditionDocument) -> Condition:
    """With whether `equals` was said: null is a value too."""
    return Condition(
        see=document.see,
        by=document.by,
        url=document.url,
        title=document.title,
        js=document.js,
        var=document.var,
        equals=document.equals,
        has_equals="equals" in document.model_fields_set,
        absent=document.absent,
        timeout_s=document.timeout_s,
    )
