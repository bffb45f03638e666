"""Pages of a PDF as pictures, through pypdfium2."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any

import numpy as np
from PIL import Image

from ..errors import BadRequest
from .inputs import MAX_PICTURE_PX, MAX_PICTURES, Input, MissingExtra, Pixels, View
from .page_ranges import pages_of

DEFAULT_DPI = 144.0
POINTS_PER_INCH = 72


def open_pdf(content: bytes, path: str, name: str, pages: str | None, dpi: float) -> Input:
    """BadRequest for a file that is damaged or locked, for pages it has not, and for one that is too large."""
    with _opened(content, name) as document:
        count = len(document)
        if not count:
            raise BadRequest(f"{name} is a PDF without pages")
        numbers = pages_of(pages, count, name)
        if len(numbers) > MAX_PICTURES:
            raise BadRequest(
                f"{name} has {count} pages: at most {MAX_PICTURES} pictures are shown, so name some with "
                f"{path}:1-{MAX_PICTURES} or --pages"
            )
        views = tuple(_view(document, number, dpi, name) for number in numbers)

    def read(views: Sequence[View]) -> list[Pixels]:
        with _opened(content, name) as document:
            return [_render(document, view) for view in views]

    return Input(path=path, name=name, kind="pdf", views=views, total=count, dpi=dpi, read=read)


def _view(document: Any, number: int, dpi: float, name: str) -> View:
    width_pt, height_pt = document.get_page_size(number - 1)
    if min(width_pt, height_pt) <= 0:
        raise BadRequest(f"page {number} of {name} has no area")
    width_px, height_px = (max(1, ceil(side * dpi / POINTS_PER_INCH)) for side in (width_pt, height_pt))
    if width_px * height_px > MAX_PICTURE_PX:
        fitting = int(dpi * (MAX_PICTURE_PX / (width_px * height_px)) ** 0.5)
        raise BadRequest(
            f"page {number} of {name} is {width_pt / POINTS_PER_INCH:.0f}x{height_pt / POINTS_PER_INCH:.0f} inches, "
            f"{width_px}x{height_px} px at {dpi:g} dpi: give --dpi {max(1, fitting)} or less"
        )
    return View(width_px=width_px, height_px=height_px, page=number)


def _render(document: Any, view: View) -> Pixels:
    """On white, at the view's size: what a rounded size has too many of, a line at most, is left white."""
    page = document[(view.page or 1) - 1]
    try:
        scale = min(view.width_px / page.get_width(), view.height_px / page.get_height())
        drawn = page.render(scale=scale, rev_byteorder=True).to_pil().convert("RGB")
        canvas = Image.new("RGB", (view.width_px, view.height_px), "white")
        canvas.paste(drawn, (0, 0))
        return np.array(canvas, dtype=np.uint8)
    finally:
        page.close()


@contextmanager
def _opened(content: bytes, name: str) -> Generator[Any]:
    try:
        import pypdfium2  # pyright: ignore[reportMissingTypeStubs] it has none
    except ImportError as error:
        raise MissingExtra("pages of a PDF are drawn by pypdfium2: pip install 'moonhand[pdf]'") from error
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise BadRequest(
                f"{name} asks for a password: write a copy without one first (qpdf --decrypt --password=... )"
            ) from error
        raise BadRequest(f"{name} cannot be read as a PDF, it is damaged or cut off: {error}") from error
    try:
        document.init_forms()  # what was filled in is drawn too
        yield document
    except pypdfium2.PdfiumError as error:
        raise BadRequest(f"{name} cannot be drawn: {error}") from error
    finally:
        document.close()
