"""A suite of our own: drawn screens whose every control has a known box, and questions about them, by seed.

What such a suite is for is to try an evaluation from end to end, to compare runs of one model, and to see where size
makes it fail. It has the looks that moonhand-nano learns from: a score says less than one on screens of other makers.

Each screen depends on the seed and its own number alone. It is written before its line of PARTIAL, and `suite.json` (or
`annotations/`) after all of them: a folder without it is not finished, and the same call goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from ...envs import Size
from ..console import not_written
from ..errors import BadRequest
from .drawn_rows import PLAN, draw_rows
from .suites.boxes import Convention

Layout = Literal["own", "screenspot-pro"]
LAYOUTS: Final[tuple[Layout, ...]] = get_args(Layout)

LEAST_PX: Final = 200  # on either side: less has no room for a control
MOST_PX: Final = 4096
SUITE: Final = "suite.json"
PARTIAL: Final = "partial.jsonl"
ANNOTATIONS: Final = "annotations"


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What lies in the folder now. `num_drawn` are the screens of this call, the others were there."""

    folder: Path
    layout: Layout
    num_rows: int
    num_screens: int
    num_refusals: int
    num_drawn: int

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "suite": "generated" if self.layout == "own" else self.layout,
            "rows": self.num_rows,
            "screens": self.num_screens,
            "refusals": self.num_refusals,
            "drawn": self.num_drawn,
        }


def generate_suite(
    folder: Path,
    n: int = 1000,
    seed: int = 0,
    size_px: Size | None = None,
    layout: Layout = "own",
    *,
    on_rows: Callable[[int], None] | None = None,
) -> Generated:
    """Write `n` questions and their screens: the same bytes for the same arguments, Pillow and typefaces.

    `size_px` makes all screens of one size. `on_rows` hears how many questions there are, after each screen.
    BadRequest for arguments that cannot be, and for a folder that holds something else; `not_written` while it draws.
    """
    made_by = _checked(folder, n, seed, size_px, layout)
    done = _rows_if_finished(folder, made_by, layout)
    if done is not None:
        return _told(folder, layout, done, 0)
    before = _partial_rows(folder, made_by)
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        rows, num_drawn = _draw(folder, made_by, before, n, seed, size_px, layout, on_rows)
        _finish(folder, made_by, rows, layout)
    except FileNotFoundError as error:
        raise BadRequest(f"screens cannot be drawn: {error}") from error  # a typeface is missing, and says so
    except OSError as error:
        raise not_written(folder, error) from error
    return _told(folder, layout, rows, num_drawn)


def _checked(folder: Path, n: int, seed: int, size_px: Size | None, layout: str) -> dict[str, Any]:
    """What tells one suite from another. BadRequest for what cannot be."""
    if n < 1:
        raise BadRequest(f"a suite needs at least 1 question, got {n}")
    if layout not in LAYOUTS:
        raise BadRequest(f"--layout {layout!r} is not one of {', '.join(LAYOUTS)}")
    if size_px is not None and not (
        min(size_px.width_px, size_px.height_px) >= LEAST_PX and max(size_px.width_px, size_px.height_px) <= MOST_PX
    ):
        raise BadRequest(f"screens are drawn from {LEAST_PX} to {MOST_PX} px a side, got {size_px}")
    size = None if size_px is None else [size_px.width_px, size_px.height_px]
    made_by = {"generator": "moonhand eval generate", "version": 1, "n": n, "seed": seed, "size": size}
    known = {SUITE, PARTIAL, ANNOTATIONS, "images"}
    if folder.is_file():
        raise BadRequest(f"{folder} is a file: give a folder")
    strange = sorted(path.name for path in folder.iterdir() if path.name not in known) if folder.exists() else []
    if strange:
        raise BadRequest(f"{folder} holds other files, such as {strange[0]}: give an empty or a new folder")
    return made_by | {"layout": layout}


def _rows_if_finished(folder: Path, made_by: dict[str, Any], layout: Layout) -> list[dict[str, Any]] | None:
    """The rows where the suite is whole. BadRequest where another one is there."""
    path = folder / SUITE
    if not path.is_file():
        return None
    try:
        whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        same = whole.get("made_by") == made_by
    except (OSError, ValueError, AttributeError):
        raise BadRequest(f"{path} cannot be read: give an empty or a new folder") from None
    if not same:
        raise BadRequest(f"{folder} holds another suite, made by {whole.get('made_by')}: give another folder")
    if layout == "own":
        return cast(list[dict[str, Any]], whole["samples"])
    files = sorted((folder / ANNOTATIONS).glob("*.json"))
    return [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]


def _partial_rows(folder: Path, made_by: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The rows of each screen that an interrupted call wrote whole. BadRequest where that was another suite."""
    path = folder / PARTIAL
    if not path.is_file():
        return []
    screens: list[list[dict[str, Any]]] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        try:
            each: Any = json.loads(line)
        except ValueError:
            break  # it was stopped in this line
        if number == 0:
            if each != made_by:
                raise BadRequest(f"{folder} holds a part of another suite, made by {each}: give another folder")
        else:
            screens.append(each)
    return screens


def _draw(
    folder: Path,
    made_by: dict[str, Any],
    before: list[list[dict[str, Any]]],
    n: int,
    seed: int,
    size_px: Size | None,
    layout: Layout,
    on_rows: Callable[[int], None] | None,
) -> tuple[list[dict[str, Any]], int]:
    images = folder / "images"
    rows = [row for screen in before for row in screen]
    number = len(before)
    _write(folder / PARTIAL, "".join(_line(each) for each in (made_by, *before)))
    with (folder / PARTIAL).open("a", encoding="utf-8") as lines:
        while len(rows) < n:
            sort, size = PLAN[number % len(PLAN)]
            name = f"{sort}/{number:05d}.png" if layout == "screenspot-pro" else f"{number:05d}.png"
            of_screen = draw_rows(images, seed, number, sort, size_px or size, name)[: n - len(rows)]
            lines.write(_line(of_screen))
            lines.flush()
            rows += of_screen
            number += 1
            if on_rows is not None:
                on_rows(len(rows))
    return rows, number - len(before)


def _finish(folder: Path, made_by: dict[str, Any], rows: list[dict[str, Any]], layout: Layout) -> None:
    if layout == "own":
        head: dict[str, Any] = {"made_by": made_by, "boxes": Convention.XYXY_PX.value}
        body = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        text = f'{json.dumps(head)[:-1]}, "samples": [\n{body}\n]}}\n'
    else:
        annotations = folder / ANNOTATIONS
        if annotations.exists():
            shutil.rmtree(annotations)
        annotations.mkdir()
        by_application: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_application.setdefault(row["application"], []).append(_of_pro(row))
        for application, of_it in by_application.items():
            _write(annotations / f"{application}.json", json.dumps(of_it, ensure_ascii=False, indent=1) + "\n")
        text = json.dumps({"made_by": made_by}) + "\n"
    _write(folder / SUITE, text)
    (folder / PARTIAL).unlink()


def _of_pro(row: dict[str, Any]) -> dict[str, Any]:
    """The row as ScreenSpot-Pro has it; what is not there has `gt_type` "negative" and an empty box."""
    fields = {key: value for key, value in row.items() if key not in ("refusal", "bbox")}
    return fields | {
        "bbox": row["bbox"] or [0, 0, 0, 0],
        "gt_type": "negative" if row["refusal"] else "positive",
    }


def _write(path: Path, text: str) -> None:
    being_written = path.with_name(f".{path.name}.{os.getpid()}")
    being_written.write_text(text, encoding="utf-8")
    being_written.replace(path)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _told(folder: Path, layout: Layout, rows: list[dict[str, Any]], num_drawn: int) -> Generated:
    return Generated(
        folder=folder,
        layout=layout,
        num_rows=len(rows),
        num_screens=len({row["img_filename"] for row in rows}),
        num_refusals=sum(1 for _ in _refused(rows)),
        num_drawn=num_drawn,
    )


def _refused(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (row for row in rows if row.get("refusal") or row.get("gt_type") == "negative")
