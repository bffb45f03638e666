"""Something on a screen, named in words: looked for whenever it is used, and touched where it is found."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from ..envs import Action, Button, Click, Drag, Effect, Frame, Move, Point, SelectOption, TypeText
from .built import built
from .overlay import draw_target
from .sure import sure_point
from .target import Target


class LiveTarget:
    """Something named in words. Every use looks at the screen; the model is asked again only when that has changed."""

    def __init__(
        self,
        text: str,
        *,
        frame: Callable[[], Frame],
        find: Callable[[Frame, str], Target],
        perform: Callable[[Action, Target | None], Effect],
        sure: float = 0.0,
    ) -> None:
        """`Screen.locate` makes them. `find` says where the text is on a frame; `perform` gets what it said, too.

        What is found with less confidence than `sure` has no point.
        """
        self._sure = sure
        self._text, self._frame, self._find, self._do = text, frame, find, perform
        self._seen: tuple[Frame, Target] | None = None

    def look(self) -> Target:
        """What the model says now, a refusal included."""
        return self._look()[1]

    @property
    def point(self) -> Point:
        """In screenshot px. TargetRefused if the model does not see it, or is not `sure` enough of it."""
        return sure_point(self.look(), self._sure, or_look=", or look with .preview()")

    @property
    def confidence(self) -> float | None:
        """0..1; None where the reply holds no coordinates."""
        return self.look().confidence

    def click(self, *, count: int = 1) -> Effect:
        """Click it, `count` times in a row, 3 at most. TargetRefused if the model does not see it; then nothing is
        touched."""
        return self._click("left", count)

    def double_click(self) -> Effect:
        """Click it twice, as `click` does."""
        return self._click("left", 2)

    def right_click(self) -> Effect:
        """Click it with the right button, as `click` does."""
        return self._click("right", 1)

    def hover(self) -> Effect:
        """Rest the pointer on it. TargetRefused if the model does not see it."""
        point = self.point
        return self._perform(Move(x_px=point.x_px, y_px=point.y_px))

    def type(self, text: str, *, clear: bool = False, submit: bool = False) -> Effect:
        """Click it and type, as `Screen.type` does into a field; the effect is that of the typing."""
        typing = built(TypeText, text=text, clear=clear, submit=submit)
        self.click()
        return self._do(typing, None)

    def select(self, option: str) -> Effect:
        """Choose an entry of a native list by the words it shows, or give a date, a colour or a slider its value.

        UnsupportedAction where there is no such list or entry; the message names those there are.
        """
        point = self.point
        return self._perform(built(SelectOption, x_px=point.x_px, y_px=point.y_px, option=option))

    def drag_to(self, other: LiveTarget, *, duration_s: float | None = None) -> Effect:
        """Press on it and let go on another target of the same screen; the way takes `duration_s`, at an even pace.

        TargetRefused if the model does not see one of them; then nothing is touched.
        """
        start, end = self.point, other.point
        return self._perform(built(Drag, path=(start, end), duration_s=duration_s))

    def preview(self) -> Image.Image:
        """The screen with a ring where the model points; touches nothing."""
        return draw_target(*self._look())

    def _look(self) -> tuple[Frame, Target]:
        frame = self._frame()
        if self._seen is None or self._seen[0].sha256 != frame.sha256:
            self._seen = (frame, self._find(frame, self._text))
        return self._seen

    def _click(self, button: Button, count: int) -> Effect:
        point = self.point
        return self._perform(built(Click, x_px=point.x_px, y_px=point.y_px, button=button, count=count))

    def _perform(self, action: Action) -> Effect:
        """With what the model said of the place, for the record."""
        _, target = self._seen or (None, None)
        return self._do(action, target)
