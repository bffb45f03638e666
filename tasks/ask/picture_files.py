"""Picture files: upright, in RGB, px for px; those that move are films."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ...model.image import is_transparent, to_rgb
from ..errors import BadRequest
from .inputs import MAX_PICTURE_PX, Input, Pixels, View
from .sampling_times import Sampling, sampled

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000", "ICO", "QOI", "PPM")
MOVING = ("GIF", "WEBP", "PNG", "AVIF")
UNTIMED_MS = 100  # how long browsers show a frame for which no time is given
_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)


def open_picture(content: bytes, path: str, name: str, sampling: Sampling) -> Input:
    """BadRequest for a picture that is broken or too large, by its header. Of one that moves the frames are sampled."""
    with _opened(content, name) as image:
        if image.format in MOVING and getattr(image, "is_animated", False):
            return _animation(image, content, path, name, sampling)
        sideways = image.format != "TIFF" and image.getexif().get(_ORIENTATION) in _SIDEWAYS  # Pillow turns a TIFF
        size = image.size[::-1] if sideways else image.size
        notes: list[str] = []
        if is_transparent(image):
            notes.append("transparent, laid on white")
        if image.format == "TIFF" and (count := getattr(image, "n_frames", 1)) > 1:
            notes.append(f"the first of {count} pages of a TIFF: make a PDF of it to show all")
    view = View(width_px=size[0], height_px=size[1])

    def read(views: Sequence[View]) -> list[Pixels]:
        with _opened(content, name) as image:
            image.load()
            return [resized(to_rgb(ImageOps.exif_transpose(image)), view) for view in views]

    return Input(path=path, name=name, kind="picture", views=(view,), notes=tuple(notes), read=read)


def resized(image: Image.Image, view: View) -> Pixels:
    """The pixels of an RGB picture at the size of a view, shrunk as the image processor would."""
    size = (view.width_px, view.height_px)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.uint8)


def check_area(width_px: int, height_px: int, what: str) -> None:
    """BadRequest for what would take too much memory, before a pixel is made."""
    if width_px * height_px > MAX_PICTURE_PX:
        raise BadRequest(
            f"{what} is {width_px}x{height_px} px, {width_px * height_px / 1e6:,.0f} million: at most "
            f"{MAX_PICTURE_PX / 1e6:.0f} million are read, so scale it down or cut out what matters"
        )


def _animation(image: Image.Image, content: bytes, path: str, name: str, sampling: Sampling) -> Input:
    times: list[Fraction] = []
    at_ms = Fraction(0)
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        times.append(at_ms / 1000)
        at_ms += Fraction(image.info.get("duration") or UNTIMED_MS)
    if sampling.at_scenes:
        raise BadRequest(f"{name} is an animated {image.format}: changes of scene are looked for in videos only")
    chosen = sampled(times, at_ms / 1000, sampling, name)
    number_of = {at_s: number for number, at_s in enumerate(times)}
    width_px, height_px = image.size

    def read(views: Sequence[View]) -> list[Pixels]:
        with _opened(content, name) as image:
            pixels: list[Pixels] = []
            for view in views:
                image.seek(number_of[view.at_s or Fraction(0)])
                pixels.append(resized(to_rgb(image), view))
            return pixels

    views = tuple(View(width_px=width_px, height_px=height_px, at_s=times[index]) for index in chosen)
    return Input(path=path, name=name, kind="animation", views=views, total=len(times), read=read)


@contextmanager
def _opened(content: bytes, name: str) -> Generator[Image.Image]:
    """The picture, its area checked; whatever goes wrong with it while it is open is a BadRequest."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of odd metadata
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                check_area(*image.size, name)
                yield image
    except Image.DecompressionBombError as error:
        raise BadRequest(f"{name} is too large a picture: {error}") from error
    except UnidentifiedImageError as error:
        raise BadRequest(f"{name} begins as a picture and cannot be read as one: it is damaged or cut off") from error
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError, MemoryError) as error:
        # SyntaxError is Pillow's word for a bad PNG, RuntimeError for a bad AVIF.
        raise BadRequest(f"{name} cannot be read as a picture: {error}") from error
