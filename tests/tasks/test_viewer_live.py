"""The page of a run that goes on: only under its address, step by step, and still there when the run is over."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from moonhand.agent import Step, Trajectory
from moonhand.envs import Click, Effect, Frame
from moonhand.tasks.viewer.live import LiveView, watched
from rich.console import Console


def stepping(trajectory: Trajectory) -> Callable[[], Step]:
    """Each call appends one more step, to a screen that is a little darker."""
    frames = [trajectory.store(Frame(np.full((90, 160, 3), 250 - 20 * number, np.uint8))) for number in range(6)]
    steps: list[Step] = []

    def one_more() -> Step:
        at = len(steps)
        step = Step(
            index=at,
            turn=at,
            before=frames[at],
            after=frames[at + 1],
            action=Click(x_px=10 * at + 5, y_px=20),
            reply=f"<b>reply</b> {at}",
            effect=Effect(True, "done", True),
        )
        steps.append(trajectory.append(step))
        return step

    return one_more


def test_only_the_secret_address_is_answered_and_only_to_this_machine(tmp_path: Path) -> None:
    with Trajectory(tmp_path / "run", goal="watch me") as trajectory, LiveView(trajectory.path) as live:
        assert live.address.startswith("http://127.0.0.1:")
        origin = live.address.split("/", 3)[2]
        with urlopen(live.address, timeout=5) as answer:
            assert b"watch me" in answer.read()
            assert answer.headers["Cache-Control"] == "no-store"
        for address, host in (
            (f"http://{origin}/", origin),
            (f"http://{origin}/events", origin),
            (f"{live.address}../frames", origin),
            (live.address, "evil.example"),
        ):
            with pytest.raises(HTTPError) as refused:
                urlopen(Request(address, headers={"Host": host}), timeout=5)
            assert refused.value.code == 404
            refused.value.close()
        trajectory.finish("finished")


def test_a_page_that_comes_late_is_told_everything_from_the_beginning(tmp_path: Path) -> None:
    with Trajectory(tmp_path / "run", goal="watch me") as trajectory:
        one_more = stepping(trajectory)
        with LiveView(trajectory.path) as live:
            live.add(one_more())
            live.add(one_more())
            trajectory.finish("stopped")
            live.finish()
            with urlopen(f"{live.address}events", timeout=5) as answer:
                told = answer.read().decode()
            request = Request(f"{live.address}events", headers={"Last-Event-ID": "1"})
            with urlopen(request, timeout=5) as answer:
                rest = answer.read().decode()
    assert [line for line in told.splitlines() if line.startswith("id: ")] == ["id: 0", "id: 1", "id: 2"]
    assert '"is_over": true' in rest
    assert "id: 1\n" not in rest


def test_nothing_is_served_where_it_is_not_wanted(tmp_path: Path) -> None:
    words, seen = io.StringIO(), list[Step]()
    with watched(tmp_path, seen.append, Console(file=words), is_wanted=False) as watch:
        assert watch == seen.append
    assert not words.getvalue()
