"""Where the model may have meant: the failures of a gallery asked once more, drawn as heat maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .gallery import Heat
from .rows import Row

if TYPE_CHECKING:
    from ....model import Engine


def engine_heat(engine: Engine) -> Heat:
    """Asks the engine with its own profile, without zoom: a run that zoomed may have answered otherwise."""

    def heat(row: Row, image: Path) -> bytes | None:
        from ....agent import locate
        from ....agent.overlay import draw_heat_map, to_png
        from ...pictures import read_frame

        frame = read_frame(image)
        target = locate(engine, frame, row.sample.instruction)
        if target.belief is None or target.refused:
            return None
        return to_png(draw_heat_map(frame, [(1.0, target.belief)]))

    return heat
