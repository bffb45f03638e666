"""Pictures that come in data URIs: measured by their headers before a pixel is decoded."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...model.chat import Picture
from ...model.image import to_rgb
from .config import ServeConfig
from .refusals import Refusal

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_HEAD = re.compile(r"data:(image/[a-z+.-]{1,40})?(?:;[a-z]+=[^;,]{0,40})*;base64$", re.IGNORECASE)
_REMOTE = ("http:", "https:", "file:", "ftp:")


def read_pictures(uris: Sequence[str], config: ServeConfig, hold: Callable[[int], None]) -> list[Picture]:
    """The pictures of one request, px for px: transparency on white, of several frames the first, turned by no EXIF.

    `hold` is told of their bytes before they are decoded, and may raise. Refusal 400 for an address, for what is no
    picture of FORMATS, for a broken one, and for more or larger ones than are taken.
    """
    if len(uris) > config.max_pictures:
        raise _refused(f"there are {len(uris)} pictures, and a request may have {config.max_pictures}")
    opened = [_open(uri) for uri in uris]
    pixels = sum(image.width * image.height for image in opened)
    if pixels > config.max_pixels:
        sizes = ", ".join(f"{image.width}x{image.height}" for image in opened)
        raise _refused(
            f"the pictures ({sizes} px) have {pixels / 1e6:.1f} million pixels together, and a request may have "
            f"{config.max_pixels / 1e6:.1f} million"
        )
    hold(3 * pixels)
    return [_decode(image) for image in opened]


def _open(uri: str) -> Image.Image:
    """With its header read alone."""
    if uri[:8].lower().startswith(_REMOTE):
        raise _refused("pictures are not fetched from addresses: send the picture itself, as data:image/png;base64,...")
    head, comma, data = uri.partition(",")
    if not comma or not _HEAD.fullmatch(head[:200]):
        raise _refused(f"a picture is sent as data:image/png;base64,..., not as {uri[:40]!r}")
    try:
        content = base64.b64decode(data.translate(_BLANK), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused(f"the base64 of a picture cannot be read: {error}") from error
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _refused(f"a picture is too large: {error}") from error
    except UnidentifiedImageError as error:
        raise _refused("a picture is none that can be read: send PNG, JPEG, WebP or GIF") from error
    except _BROKEN as error:
        raise _refused(f"a picture cannot be read: {error}") from error


def _decode(image: Image.Image) -> Picture:
    try:
        image.load()
        return Picture(np.asarray(to_rgb(image), dtype=np.uint8))
    except (*_BROKEN, MemoryError) as error:
        raise _refused(f"a {image.width}x{image.height} px picture cannot be read: {error}") from error


# What Pillow says of broken files: SyntaxError of a PNG, struct's and zlib's errors are OSError or ValueError by then
# but for some chunks.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, RuntimeError)
_BLANK = str.maketrans("", "", "\r\n\t ")


def _refused(message: str) -> Refusal:
    return Refusal(400, message, param="messages", code="invalid_image")
