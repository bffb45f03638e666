"""The screens of a generated suite, one by one, and the rows about each.

They come from the renderers that moonhand-nano learns from, by seeds that no training uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal

from ...envs import Size

if TYPE_CHECKING:
    from ..screens.samples import Question

# In turn, so that each has its share: from small sign-up forms, where nano is at its best, to whole desktops.
Sort = Literal["forms", "screens"]
PLAN: Final[tuple[tuple[Sort, Size], ...]] = (
    ("forms", Size(360, 320)), ("screens", Size(480, 400)), ("forms", Size(480, 400)), ("screens", Size(640, 480)),
    ("forms", Size(640, 480)), ("screens", Size(1024, 768)), ("forms", Size(1280, 800)), ("screens", Size(1280, 800)),
    ("screens", Size(1920, 1080)),
)  # fmt: skip
QUESTIONS: Final = 3  # about each screen
REFUSALS: Final = 0.15  # the share of questions that name what is not there
ICON_KINDS: Final = frozenset({"icon", "checkbox", "radio", "switch", "slider"})  # the rest is known by its text
SMALL_PX, MIDDLE_PX = 700, 1100  # the width up to which a screen is a small or a middle window


def draw_rows(images: Path, seed: int, number: int, sort: Sort, size: Size, name: str) -> list[dict[str, Any]]:
    """Draw screen `number` of a suite and write it as `name` under `images`; the rows about it."""
    from PIL import Image

    from ..screens.forms import draw_form, form_questions
    from ..screens.questions import questions
    from ..screens.synthetic import draw_screen

    rng = Random(f"evaluation suite {seed}, screen {number}")  # training's are "{seed}-{batch}"
    if sort == "forms":
        screen = draw_form(rng, size.width_px, size.height_px)
        asked = form_questions(rng, screen, 3 * QUESTIONS, refuse_share=REFUSALS)
    else:
        screen = draw_screen(rng, size.width_px, size.height_px)
        asked = questions(rng, screen, 3 * QUESTIONS, refuse_share=REFUSALS, read_share=0)
    path = images / name
    path.parent.mkdir(parents=True, exist_ok=True)
    being_written = path.with_name(f".{path.name}")
    Image.fromarray(screen.pixels_HW3).save(being_written, format="PNG", compress_level=6)
    being_written.replace(path)
    rows: list[dict[str, Any]] = []
    for index, question in enumerate(_chosen(asked)):
        control = question.control
        box = None if control is None else _inside(control.box, size)
        rows.append(
            {
                "id": f"{number:05d}-{index}",
                "img_filename": name,
                "img_size": [size.width_px, size.height_px],
                "instruction": question.instruction,
                "bbox": box,
                "refusal": control is None,
                "ui_type": "none" if control is None else "icon" if control.kind in ICON_KINDS else "text",
                "platform": _platform(size),
                "application": sort,
                "group": question.asked,
            }
        )
    return rows


def _chosen(asked: Sequence[Question]) -> list[Question]:
    """The first questions of which no two are about one control or in the same words."""
    chosen: dict[int | str, Question] = {}
    words: set[str] = set()
    for question in asked:
        plain = question.instruction.lower()
        about = plain if question.control is None else id(question.control)
        if about not in chosen and plain not in words:
            chosen[about] = question
            words.add(plain)
    return list(chosen.values())[:QUESTIONS]


def _inside(box: tuple[float, float, float, float], size: Size) -> list[float]:
    left, top, right, bottom = box
    across, down = size.width_px, size.height_px
    return [
        round(max(0.0, left), 2), round(max(0.0, top), 2),
        round(min(float(across), right), 2), round(min(float(down), bottom), 2),
    ]  # fmt: skip


def _platform(size: Size) -> str:
    """How large the screen is: small windows, middle ones, and whole screens."""
    return "small" if size.width_px <= SMALL_PX else "middle" if size.width_px <= MIDDLE_PX else "large"
