"""What chance gets: a policy that clicks anywhere, for a floor under every other figure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ...agent import Parsed, Reply, Step
from ...agent.policy import turns_taken
from ...envs import Click, Frame, describe
from .page import DEVICE_SCALE, FLIGHT_SIZE

QUERY_PX = 50 * DEVICE_SCALE  # height of the yellow line with the task, where nothing can be clicked


class RandomClicker:
    """Clicks once a turn, at a point drawn evenly from the whole px of the area to act in.

    That is the picture without the task line above it; FlightWoB's pictures have none. The same seed clicks the same
    points, whatever the screen shows.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def reply(self, goal: str, frame: Frame, history: Sequence[Step]) -> Reply:
        rng = random.Random(f"{self._seed} {turns_taken(history)}")
        width_px, height_px = frame.size.width_px, frame.size.height_px
        top_px = 0 if width_px == FLIGHT_SIZE.width_px * DEVICE_SCALE else int(QUERY_PX)
        click = Click(x_px=rng.randrange(width_px), y_px=rng.randrange(top_px, height_px))
        return Reply(text=describe(click), actions=(click,))

    def read(self, reply: Reply, frame: Frame) -> Parsed:
        return Parsed(reply.actions or ())

    def manifest(self) -> Mapping[str, Any]:
        return {"kind": "random", "seed": self._seed}
