"""Writes corner_cases.jsonl: `python tests/tasks/evals/write_corner_cases.py` from the repository's root.

Each case is a row of a file of predictions and a target, with the verdict that docs/scoring.md gives it. The verdicts
are written here by hand, or follow from how the case was made; no code of the package is asked for one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PLACE = Path(__file__).with_name("corner_cases.jsonl")
SIZE = [1000, 800]
NAN, INF = math.nan, math.inf
Case = dict[str, Any]


def case(name: str, answer: Any, row: dict[str, Any], outcome: str, correct: bool | None = None, **told: Any) -> Case:
    """`told`: size, dialect, coordinates, take. Unless told, points are px, and only a hit is right."""
    right = outcome == "hit" if correct is None else correct
    return {"name": name, "size": SIZE, "answer": answer, "row": row, "outcome": outcome, "correct": right, **told}


def box(*corners: float) -> dict[str, Any]:
    return {"box": list(corners)}


def polygon(*corners: tuple[float, float]) -> dict[str, Any]:
    return {"polygon": [list(corner) for corner in corners]}


def at(x: float, y: float) -> dict[str, Any]:
    return {"point": [x, y]}


REFUSAL = {"refusal": True}
BUTTON = box(100, 50, 300, 150)
TINY = 1e-9


def edges() -> Iterator[Case]:
    boxes = {
        "whole px": (100.0, 50.0, 300.0, 150.0),
        "fractions": (0.1 + 0.2, 33.333333333333336, 0.7 * 1000, 66.66666666666667),
        "one px": (499.5, 399.5, 500.5, 400.5),
        "tall": (640.0, 1.0, 641.0, 799.0),
    }
    for name, (left, top, right, bottom) in boxes.items():
        mid_x, mid_y = (left + right) / 2, (top + bottom) / 2
        xs = {"left": left, "middle": mid_x, "right": right}
        ys = {"top": top, "middle": mid_y, "bottom": bottom}
        for x_name, x in xs.items():
            for y_name, y in ys.items():
                yield case(f"box of {name}: {x_name}, {y_name}", box(*boxes[name]), at(x, y), "hit")
        for side, x, y in (
            ("left", left - TINY, mid_y),
            ("right", right + TINY, mid_y),
            ("top", mid_x, top - TINY),
            ("bottom", mid_x, bottom + TINY),
            ("top left corner", left - TINY, top),
            ("bottom right corner", right, bottom + TINY),
        ):
            yield case(f"box of {name}: 1e-9 px beyond its {side}", box(*boxes[name]), at(x, y), "wrong")
        yield case(
            f"box of {name}: the float after its right edge", box(*boxes[name]), at(after(right), mid_y), "wrong"
        )
        yield case(f"box of {name}: the float before its top", box(*boxes[name]), at(mid_x, before(top)), "wrong")
        yield case(f"box of {name}: far off", box(*boxes[name]), at(999, 0), "wrong")


def after(value: float) -> float:
    return math.nextafter(value, math.inf)


def before(value: float) -> float:
    return math.nextafter(value, -math.inf)


def degenerate() -> Iterator[Case]:
    yield case("a box without width: on it", box(10, 10, 10, 20), at(10, 15), "hit")
    yield case("a box without width: beside it", box(10, 10, 10, 20), at(after(10), 15), "wrong")
    yield case("a box of one point: it", box(10, 10, 10, 10), at(10, 10), "hit")
    yield case("a box of one point: another", box(10, 10, 10, 10), at(10, 11), "wrong")
    yield case("half a px is not rounded into the box", BUTTON, at(300.4, 100), "wrong")
    yield case("half a px is not rounded out of the box", BUTTON, at(299.6, 100), "hit")
    yield case("just under half a px outside would round to the edge", BUTTON, at(99.7, 100), "wrong")


def screen_edges() -> Iterator[Case]:
    whole, beyond = box(0, 0, 1000, 800), box(900, 700, 1100, 900)
    for x, y in ((0, 0), (1000, 0), (0, 800), (1000, 800), (1000, 400), (500, 800), (-0.0, -0.0)):
        yield case(f"the whole screenshot holds its edge ({x}, {y})", whole, at(x, y), "hit")
    for x, y in ((-TINY, 400), (500, -TINY), (after(1000), 400), (500, after(800)), (-1, 400), (1e300, 1), (-1e300, 1)):
        yield case(f"off the screenshot: ({x}, {y})", whole, at(x, y), "off_screen")
    for x, y in ((1050, 750), (950, 850), (1100, 900), (after(1000), 750)):
        yield case(f"off the screenshot, in a box that reaches there: ({x}, {y})", beyond, at(x, y), "off_screen")
    for x, y in ((1000, 750), (950, 800), (1000, 800), (900, 700)):
        yield case(f"in what of such a box is on the screenshot: ({x}, {y})", beyond, at(x, y), "hit")
    yield case("off the screenshot where nothing is to be found", REFUSAL, at(2000, 10), "off_screen")
    yield case("both numbers negative, and no -1", whole, at(-5, -7), "off_screen")
    yield case("the other way round on a tall screenshot", box(0, 1500, 500, 2000), at(1700, 250), "off_screen",
               size=[1000, 2000])  # fmt: skip


TRIANGLE = ((100.0, 100.0), (300.0, 100.0), (200.0, 200.0))
ELL = ((0.0, 0.0), (200.0, 0.0), (200.0, 100.0), (100.0, 100.0), (100.0, 300.0), (0.0, 300.0))
CUP = ((100.0, 100.0), (200.0, 100.0), (200.0, 300.0), (300.0, 300.0), (300.0, 100.0), (400.0, 100.0), (400.0, 400.0),
       (100.0, 400.0))  # fmt: skip
BOW = ((100.0, 100.0), (300.0, 300.0), (300.0, 100.0), (100.0, 300.0))  # its sides cross at (200, 200)
SQUARE_TWICE = ((100.0, 100.0), (300.0, 100.0), (300.0, 300.0), (100.0, 300.0)) * 2
DIAMOND = ((500.0, 300.0), (600.0, 400.0), (500.0, 500.0), (400.0, 400.0))
FLAT = ((100.0, 100.0), (200.0, 100.0), (300.0, 100.0))


def polygons() -> Iterator[Case]:
    shapes = {"triangle": TRIANGLE, "ell": ELL, "cup": CUP, "diamond": DIAMOND, "bow": BOW}
    for name, corners in shapes.items():
        for x, y in corners:
            yield case(f"{name}: its corner ({x}, {y})", polygon(*corners), at(x, y), "hit")
        for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
            middle = at((ax + bx) / 2, (ay + by) / 2)
            yield case(f"{name}: between ({ax}, {ay}) and ({bx}, {by})", polygon(*corners), middle, "hit")
    inside = {
        "triangle": [(200, 150), (200, 100.5), (200, 200 - TINY), (150, 150 - TINY)],
        "ell": [(50, 250), (150, 50), (50, 100), (100, 50), (99.5, 299)],
        "cup": [(150, 200), (350, 200), (250, 350), (150, 300), (350, 300), (250, after(300))],
        "diamond": [(500, 400), (450, 400), (599, 400), (500, 499)],
        "bow": [(250, 200), (299, 150), (101, 250)],
    }
    inside["bow"] = [(290, 200), (299, 150), (110, 200)]
    outside = {
        "triangle": [(100, 150), (300, 150), (200, 200 + TINY), (200, 100 - TINY), (150, 150 + TINY), (50, 100)],
        "ell": [(150, 150), (200, 200), (100 + TINY, 200), (150, 100 + TINY), (250, 0), (300, 300)],
        "cup": [
            (250, 100),
            (250, 200),
            (250, before(300)),
            (after(200), 200),
            (before(300), 200),
            (50, 300),
            (500, 300),
        ],
        "diamond": [(400, 300), (600, 500), (400 - TINY, 400), (650, 400), (350, 400), (550, 350 - TINY)],
        "bow": [(200, 110), (200, 290), (200, 200 + TINY), (50, 200), (400, 200)],
    }
    for name, corners in shapes.items():
        for x, y in inside[name]:
            yield case(f"{name}: inside at ({x}, {y})", polygon(*corners), at(x, y), "hit")
        for x, y in outside[name]:
            yield case(f"{name}: outside at ({x}, {y})", polygon(*corners), at(x, y), "wrong")
    yield case("a square drawn twice is empty by the even-odd rule", polygon(*SQUARE_TWICE), at(200, 200), "wrong")
    yield case("but for its sides", polygon(*SQUARE_TWICE), at(100, 200), "hit")
    yield case("corners on a line: on it", polygon(*FLAT), at(250, 100), "hit")
    yield case("corners on a line: beside it", polygon(*FLAT), at(250, after(100)), "wrong")
    yield case("corners on a line: beyond it", polygon(*FLAT), at(301, 100), "wrong")
    thirds = polygon((0.0, 0.0), (300.0, 100.0), (0.0, 100.0))
    yield case("on a side of slope one third", thirds, at(150, 50), "hit")
    yield case("a float off that side, outside", thirds, at(150, before(50)), "wrong")
    yield case("a float off that side, inside", thirds, at(150, after(50)), "hit")
    yield case("a tenth of that side is no float on it, and outside", thirds, at(0.30000000000000004, 0.1), "wrong")
    yield case("a polygon off the screenshot", polygon((900, 0), (1200, 0), (1200, 100)), at(1150, 50), "off_screen")
    yield case("a refusal of a polygon", polygon(*TRIANGLE), {"refused": True}, "refused", False)


def refusals() -> Iterator[Case]:
    for name, row in {
        "the field": {"refused": True},
        "-1, -1": at(-1, -1),
        "-1, -1 as x and y": {"x": -1, "y": -1},
        "a result": {"result": "negative"},
        "a result, and a point of nothing": {"result": "negative", "point": None},
        "a word for a point": {"point": "refused"},
        "the field, and -1, -1": {"refused": True, **at(-1, -1)},
    }.items():
        yield case(f"refused by {name}, nothing there", REFUSAL, row, "refused", True)
        yield case(f"refused by {name}, and it is there", BUTTON, row, "refused", False)
    for x, y in ((0, 0), (1, 1), (500, 400), (1000, 800), (200, 100)):
        yield case(f"a point ({x}, {y}) where nothing is", REFUSAL, at(x, y), "wrong")
    for name, row in {
        "the field and a point": {"refused": True, **at(150, 100)},
        "the field and x and y": {"refused": True, "x": 150, "y": 100},
        "a result and a point": {"result": "negative", **at(150, 100)},
        "the field and what is no number": {"refused": True, "x": NAN, "y": 100},
    }.items():
        yield case(f"both: {name}, nothing there", REFUSAL, row, "wrong_format")
        yield case(f"both: {name}, and it is there", BUTTON, row, "wrong_format")
    for name, row in GARBAGE.items():
        yield case(f"garbage is no refusal: {name}", REFUSAL, row, "wrong_format")
    yield case("nothing in the file is no refusal", REFUSAL, {"nothing": True}, "missing")
    yield case("-1 alone is no refusal", REFUSAL, at(-1, 5), "off_screen")
    yield case("-1, -1 in shares", REFUSAL, at(-1, -1), "refused", True, coordinates="unit")
    yield case("-1, -1 in thousandths", REFUSAL, at(-1, -1), "refused", True, coordinates="thousand")


GARBAGE: dict[str, dict[str, Any]] = {
    "null": {"point": None},
    "an empty list": {"point": []},
    "one number": {"point": [5]},
    "three numbers": {"point": [5, 6, 7]},
    "five numbers": {"bbox": [1, 2, 3, 4, 5]},
    "not a number": at(NAN, 5),
    "not a number below": at(5, NAN),
    "infinite": at(INF, 5),
    "infinite upwards": at(5, -INF),
    "infinite box": {"bbox": [0, 0, INF, INF]},
    "null in a point": {"point": [None, 5]},
    "a string in a point": {"point": ["left", 5]},
    "true and false": {"point": [True, False]},
    "null as x": {"x": None, "y": 5},
    "nulls as x and y": {"x": None, "y": None},
    "an empty object": {"point": {}},
    "an object without y": {"point": {"x": 5}},
    "a number too long for a float": {"point": [10**400, 5]},
    "a null reply": {"raw": None},
}


def malformed() -> Iterator[Case]:
    for name, row in GARBAGE.items():
        yield case(f"garbage: {name}", BUTTON, row, "wrong_format")
    yield case("no row", BUTTON, {"nothing": True}, "missing")


def fields() -> Iterator[Case]:
    for row in (
        {"point": [200, 100]},
        {"pred": [200, 100]},
        {"xy": [200, 100]},
        {"click": {"x": 200, "y": 100}},
        {"coordinate": [200, 100]},
        {"x": 200, "y": 100},
        {"x_px": 200, "y_px": 100},
        {"point": [[200, 100]]},
        {"point": ["200", "100"]},
        {"point": "[200, 100]"},
        {"point": "(200.0, 100.0)"},
        {"prediction": [200, 100]},
        {"prediction": "200, 100"},
        {"bbox": [190, 90, 210, 110]},
        {"bbox": [210, 110, 190, 90]},
        {"pred_bbox": [190, 110, 210, 90], "bbox": [0, 0, 1, 1]},
        {"point": [200, 100], "bbox": [0, 0, 1, 1]},
        {"point": [190, 90, 210, 110]},
    ):
        yield case(f"a place as {json.dumps(row)}", BUTTON, row, "hit")
    yield case("a predicted box counts by its middle: off", BUTTON, {"bbox": [100, 50, 700, 150]}, "wrong")
    yield case("a predicted box counts by its middle: on the edge", BUTTON, {"bbox": [200, 50, 400, 150]}, "hit")
    yield case("the first of two points", BUTTON, {"point": [[200, 100], [9, 9]]}, "hit")
    yield case("the last of two points", BUTTON, {"point": [[200, 100], [9, 9]]}, "wrong", take="last")
    yield case("the first of two points, off", BUTTON, {"point": [[9, 9], [200, 100]]}, "wrong")
    yield case("the last of two points, in", BUTTON, {"point": [[9, 9], [200, 100]]}, "hit", take="last")


def spaces() -> Iterator[Case]:
    for space, one in (("unit", 1), ("thousand", 1000)):
        for x, y, outcome in (
            (0.2, 0.125, "hit"),
            (0.1, 0.0625, "hit"),  # 100, 50 px: the corner
            (0.1, 0.0624, "wrong"),
            (0.3, 0.1875, "hit"),  # 300, 150 px
            (0.3001, 0.1875, "wrong"),
            (0.0, 0.0, "wrong"),
            (1.0, 1.0, "wrong"),
            (1.0001, 0.5, "off_screen"),
            (0.5, -0.0001, "off_screen"),
        ):
            yield case(
                f"{x}, {y} of the screenshot in {space}", BUTTON, at(x * one, y * one), outcome, coordinates=space
            )
        corner = box(990, 790, 1000, 800)
        yield case(f"the far corner in {space}", corner, at(one, one), "hit", coordinates=space)
        yield case(f"px beside {space}", BUTTON, {"x_px": 200, "y_px": 100}, "hit", coordinates=space)
    yield case("(1, 1) in shares is the far corner", box(0, 0, 2, 2), at(1, 1), "wrong", coordinates="unit")
    yield case("(1, 1) in px is the second pixel", box(0, 0, 2, 2), at(1, 1), "hit", coordinates="px")


def replies() -> Iterator[Case]:
    def told(name: str, text: str, outcome: str, answer: Any = BUTTON, **flags: Any) -> Case:
        return case(name, answer, {"raw": text}, outcome, flags.pop("right", None), **flags)

    bare = "screenspot-pro"
    yield told("a bare point", "(0.2, 0.125)", "hit", dialect=bare)
    yield told("in words", "The button is at [0.2, 0.125].", "hit", dialect=bare)
    yield told("a box counts by its middle", "[[0.1,0.0625,0.3,0.1875]]", "hit", dialect=bare)
    yield told("two points are two answers: the first", "(0.9, 0.9) no, rather (0.2, 0.125)", "wrong", dialect=bare)
    yield told("the last", "(0.9, 0.9) no, rather (0.2, 0.125)", "hit", dialect=bare, take="last")
    yield told("the first, in", "(0.2, 0.125), surely. Not (0.9, 0.9)!", "hit", dialect=bare)
    yield told("the last, off", "(0.2, 0.125), surely. Not (0.9, 0.9)!", "wrong", dialect=bare, take="last")
    yield told("the last one is a box", "(0.9, 0.9) or [0.1, 0.0625, 0.3, 0.1875]", "hit", dialect=bare, take="last")
    yield told("no place", "I cannot say.", "wrong_format", dialect=bare)
    yield told("an empty reply", "", "wrong_format", dialect=bare)
    yield told("an empty reply is no refusal", "", "wrong_format", REFUSAL, dialect=bare)
    yield told("not there", "Target not existent", "refused", REFUSAL, right=True, dialect=bare)
    yield told("not there, and it is", "Target not existent", "refused", right=False, dialect=bare)
    yield told("-1, -1", "[-1, -1]", "refused", REFUSAL, right=True, dialect=bare)
    yield told("px where shares are asked for", "(200, 100)", "wrong_format", dialect=bare)
    yield told("an apology is no refusal", "Sorry, I cannot help with that.", "wrong_format", REFUSAL, dialect=bare)
    yield told("kimi", "click(x=0.2, y=0.125)", "hit", dialect="kimi")
    yield told("kimi, twice", "click(x=0.2, y=0.125)\nclick(x=0.9, y=0.9)", "hit", dialect="kimi")
    yield told(
        "kimi, twice, the last", "click(x=0.2, y=0.125)\nclick(x=0.9, y=0.9)", "wrong", dialect="kimi", take="last"
    )
    yield told("kimi refuses", "refuse()", "refused", REFUSAL, right=True, dialect="kimi")
    yield told("code", "pyautogui.click(x=0.2, y=0.125)", "hit", dialect="opencua")
    yield told("ui-tars", "Action: click(start_box='(200,125)')", "hit", dialect="ui-tars")
    call = '<tool_call>{"name":"computer_use","arguments":{"action":"left_click","coordinate":[200,125]}}</tool_call>'
    yield told("qwen3-vl counts thousandths", call, "hit", dialect="qwen3-vl")
    yield told("qwen3-vl, cut off", call[:80], "wrong_format", dialect="qwen3-vl")
    yield told("waiting is no place", "wait(seconds=1)", "wrong_format", dialect="kimi")
    yield told("lmms-eval's list", "", "hit", dialect=bare) | {"row": {"filtered_resps": ["(0.2, 0.125)"]}}
    yield told("lmms-eval's nested list", "", "hit", dialect=bare) | {"row": {"resps": [["(0.2, 0.125)"]]}}


def cases() -> list[Case]:
    makers = (edges, degenerate, screen_edges, polygons, refusals, malformed, fields, spaces, replies)
    return [each for maker in makers for each in maker()]


if __name__ == "__main__":
    PLACE.write_text("".join(json.dumps(each) + "\n" for each in cases()), "ascii")
