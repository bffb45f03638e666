from __future__ import annotations

import threading

from moonhand.model.turns import Turns


def test_who_gives_a_turn_back_and_asks_again_at_once_goes_behind_who_waits() -> None:
    turns = Turns()
    waiting = threading.Event()
    order: list[str] = []

    def other() -> None:
        waiting.set()
        with turns:
            order.append("other")

    thread = threading.Thread(target=other)
    with turns:
        thread.start()
        assert waiting.wait(10)
        thread.join(0.05)  # by now it stands in the queue
    with turns:
        order.append("first again")
    thread.join(10)
    assert order == ["other", "first again"]
