"""Picture files as frames, and pictures written to files."""

from __future__ import annotations

import shlex
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..envs import Frame
from ..model.image import to_rgb
from .console import why_not_writable
from .errors import BadRequest


def read_frame(path: Path) -> Frame:
    """A picture file as a frame, px for px: 16 bits scaled to 8, transparency laid on white, the first of many frames.

    BadRequest where the file is missing, broken, empty, or no picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
                return Frame(np.asarray(to_rgb(image), dtype=np.uint8))
    except FileNotFoundError as error:
        raise BadRequest(f"there is no picture at {path}") from error
    except IsADirectoryError as error:
        raise BadRequest(f"{path} is a folder: name a picture in it") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadRequest(f"{path} is too large to be a screenshot: {error}") from error
    except UnidentifiedImageError as error:
        raise BadRequest(f"{path} is not a picture that can be read (PNG, JPEG, WebP, GIF, BMP, ...)") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # SyntaxError: Pillow's word for a broken PNG
        raise BadRequest(f"{path} cannot be read as a picture: {getattr(error, 'strerror', None) or error}") from error


def check_writable(path: Path, *, suffix: str = ".png") -> None:
    """BadRequest, before any work is done, unless a file of this kind can be written there."""
    if path.suffix.lower() != suffix:
        what = "pictures are" if suffix == ".png" else "it is"
        raise BadRequest(f"{path}: {what} written as {suffix}; name the file {path.stem}{suffix}")
    if path.is_dir() or not path.parent.is_dir():
        folder = shlex.quote(str(path.parent))
        raise BadRequest(f"{path} cannot be written: create its folder first, with mkdir -p {folder}")
    if (why := why_not_writable(path if path.exists() else path.parent)) is not None:
        raise BadRequest(f"{path} cannot be written ({why}): name another place")
