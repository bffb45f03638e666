from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from moonhand.agent import Trajectory
from moonhand.envs import Frame


def picture(number: int, width_px: int = 64, height_px: int = 48) -> Frame:
    """A small screen that differs from every other number's."""
    pixels_HW3 = np.full((height_px, width_px, 3), 40, dtype=np.uint8)
    pixels_HW3[:, : number % width_px + 1] = (number % 256, 200, 90)
    return Frame(pixels_HW3)


@dataclass(frozen=True)
class Screens:
    """Makes frames for ReplayEnv."""

    width_px: int = 64
    height_px: int = 48

    def __call__(self, count: int) -> Sequence[Frame]:
        return [picture(number, self.width_px, self.height_px) for number in range(count)]


@pytest.fixture
def screens() -> Screens:
    return Screens()


@pytest.fixture
def trajectory(tmp_path: Path) -> Trajectory:
    return Trajectory(tmp_path / "run", goal="test")
