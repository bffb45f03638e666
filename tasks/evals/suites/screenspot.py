"""ScreenSpot and ScreenSpot-V2: a file each for mobile, desktop and web. Their boxes have been published in three ways.

The platform is the file's. A row's `data_source` is no platform: 80 rows of the mobile and desktop files of
ScreenSpot-V2 say "shop" there, and programs that read it move those to the web.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .assemble import Material
from .fields import Draft, RawBox, RowReader
from .problems import Problem, ProblemKind
from .rows import Row, RowFile

PLATFORMS: Final = ("mobile", "desktop", "web")
CELLS: Final = ("platform", "ui_type")
OF_PREFIX: Final = {"mobile": "mobile", "pc": "desktop", "desktop": "desktop", "web": "web"}  # of a picture's name


def read_screenspot(name: str, files: Sequence[RowFile], folder: Path) -> Material:
    """The rows of the three files, of some of them, or of a Parquet copy that holds them all."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for file in files:
        platform = platform_of_file(file.name)
        for row in file.rows:
            reader = RowReader(row, f"{platform or Path(file.name).stem}/{row.number}")
            picture = _picture(reader, row)
            of_row = platform or _platform_of_row(row, picture)
            if of_row is None:
                said = f"neither the file's name nor the picture's is of one of {', '.join(PLATFORMS)}"
                reader.wrong(ProblemKind.MISSING_FIELD, said)
            numbers = reader.four("bbox")
            groups = {
                "platform": (of_row,) if of_row else (),
                "ui_type": reader.label("data_type", "ui_type"),
                "source": reader.label("data_source", "platform"),
            }
            draft = reader.draft(
                instruction=reader.instruction("instruction"),
                answer=None if numbers is None else RawBox(numbers),
                size=reader.size("img_size", "image_size"),
                picture=picture,
                beside=(folder / file.name).parent,
                groups=groups,
            )
            drafts += [] if draft is None else [draft]
            problems += reader.problems
    return Material(name=name, files=files, drafts=drafts, problems=problems, cells=CELLS)


def platform_of_file(name: str) -> str | None:
    """What a file's name says: screenspot_web_v2.json is web."""
    found = re.search(r"(?<![a-z])(mobile|desktop|web)(?![a-z])", Path(name).name)
    return found[1] if found else None


def _picture(reader: RowReader, row: Row) -> str | None:
    names = ("img_filename", "file_name", "image", "image_path")
    if row.picture is None:
        return reader.text(*names)
    found = reader.value(*names)
    return found if isinstance(found, str) else None


def _platform_of_row(row: Row, picture: str | None) -> str | None:
    """Of a copy in one file: its `group`, or how the pictures are named, `pc_...` for desktop."""
    group = row.fields.get("group")
    if isinstance(group, str) and group in PLATFORMS:
        return group
    return OF_PREFIX.get(Path(picture).name.split("_")[0]) if picture else None
