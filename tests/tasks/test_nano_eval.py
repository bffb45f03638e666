"""The yardstick itself: what counts as a hit, how it is summed up, and that the point comes from the reply's text."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from moonhand.agent import ParseError, Target, parse_kimi
from moonhand.envs import Frame, Region, action_points
from moonhand.tasks.nano_eval import Answer, Locate, by_kind, draw_answer, evaluate, report, score, tabulate, wilson
from moonhand.tasks.pages import Sample
from moonhand.tasks.vocabulary import Kind
from rich.console import Console

PIXELS_HW3 = np.full((100, 200, 3), 200, np.uint8)
BOX = Region(20.5, 10, 40, 20)


def sample(kind: Kind = "button", *, seed: int = 1, label: str = "Save") -> Sample:
    return Sample(seed, PIXELS_HW3, f"click {label}", BOX, kind, label)


def replying(texts: Sequence[str]) -> Locate:
    """Reads prepared replies the way the agent does: nothing but the text can make a point."""
    left = iter(texts)

    def find(frame: Frame, instruction: str) -> Target:
        text = next(left)
        point, refused, error = None, text == "refuse()", None
        try:
            actions = parse_kimi(text, lambda x, y: (x * frame.size.width_px, y * frame.size.height_px)).actions
            point = next(iter(action_points(actions[0])), None)
        except ParseError as trouble:
            error = str(trouble)
        return Target(
            instruction=instruction,
            x_px=point.x_px if point else None,
            y_px=point.y_px if point else None,
            size=frame.size,
            confidence=None,
            refused=refused,
            raw=text,
            model="replies",
            error=error,
            model_s=0.5,
        )

    return find


def answers_to(texts: Sequence[str]) -> list[Answer]:
    pages = [[sample(seed=seed)] for seed in range(len(texts))]
    return list(evaluate(pages, replying(texts), all_controls=False))


def test_a_point_inside_the_box_or_on_its_edge_is_a_hit_and_nothing_is_rounded() -> None:
    texts = ["click(x=0.2, y=0.2)", "click(x=0.3025, y=0.1)", "click(x=0.303, y=0.2)", "click(x=0.102, y=0.2)"]
    assert [answer.outcome for answer in answers_to(texts)] == ["hit", "hit", "miss", "miss"]


def test_refusals_and_unreadable_replies_are_wrong_and_counted_apart() -> None:
    answers = answers_to(["refuse()", "the button is at the top", "click(x=0.2)", "click(x=0.2, y=0.2)"])
    assert [answer.outcome for answer in answers] == ["refused", "wrong format", "wrong format", "hit"]
    total = score(answers)
    assert (total.n, total.correct, total.refused, total.wrong_format) == (4, 1, 1, 2)
    assert total.accuracy == 0.25
    assert total.median_s == 0.5


def test_each_page_counts_once_even_where_every_control_is_asked_for() -> None:
    kinds: tuple[Kind, ...] = ("button", "link", "field")
    page = [sample(kind, label=f"L{at}") for at, kind in enumerate(kinds)]
    answers = list(evaluate([page, page], replying(["click(x=0.2, y=0.2)"] * 6), all_controls=True))
    assert len(answers) == 6
    assert sum(answer.counts for answer in answers) == 2
    (alone,) = evaluate([page], replying(["click(x=0.2, y=0.2)"]), all_controls=False)
    assert alone.sample is next(answer.sample for answer in answers if answer.counts)


def test_the_wilson_interval_is_the_textbook_one() -> None:
    assert wilson(160, 200) == pytest.approx((0.7391, 0.8495), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_table_has_a_line_for_every_kind_asked_for_and_one_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    pages = [[sample("button", seed=1)], [sample("checkbox", seed=2)]]
    answers = list(evaluate(pages, replying(["click(x=0.2, y=0.2)", "click(x=0.9, y=0.2)"]), all_controls=False))
    assert {kind: line.correct for kind, line in by_kind(answers).items()} == {"button": 1, "checkbox": 0}
    Console(width=120).print(tabulate("Pages", answers))
    lines = capsys.readouterr().out.splitlines()
    first_cells = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    assert first_cells[0] == "control"
    assert first_cells[2:] == ["button", "checkbox", "all"]
    assert "50.0%" in lines[-2]


def test_the_report_is_plain_json_with_every_answer_in_it() -> None:
    answers = answers_to(["click(x=0.2, y=0.2)", "refuse()"])
    read = json.loads(json.dumps(report(answers, {"model": "replies"}, all_controls=True)))
    assert (read["n"], read["correct"], read["refused"], read["accuracy"]) == (2, 1, 1, 0.5)
    assert read["all_controls"]["n"] == 2
    assert [answer["raw"] for answer in read["answers"]] == ["click(x=0.2, y=0.2)", "refuse()"]
    assert read["seeds"] == [0, 1]


def test_a_picture_shows_the_box_green_for_a_hit_and_red_for_a_miss_and_the_words_below_the_page() -> None:
    hit, miss = answers_to(["click(x=0.2, y=0.2)", "click(x=0.9, y=0.2)"])
    drawn = draw_answer(hit)
    assert drawn.width == 200
    assert drawn.height > 100
    assert drawn.getpixel((19, 30)) == (50, 205, 50)
    assert draw_answer(miss).getpixel((19, 30)) == (255, 0, 0)
