"""Picture files as frames, and pictures written to files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..envs import Frame
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
                return Frame(np.asarray(_to_rgb(image), dtype=np.uint8))
    except FileNotFoundError as error:
        raise BadRequest(f"there is no picture at {path}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadRequest(f"{path} is too large to be a screenshot: {error}") from error
    except UnidentifiedImageError as error:
        raise BadRequest(f"{path} is not a picture that can be read (PNG, JPEG, WebP, GIF, BMP, ...)") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # SyntaxError: Pillow's word for a broken PNG
        raise BadRequest(f"{path} cannot be read as a picture: {error}") from error


def check_writable(path: Path, *, suffix: str = ".png") -> None:
    """BadRequest, before any work is done, unless a file of this kind can be written there."""
    if path.suffix.lower() != suffix:
        raise BadRequest(f"{path}: pictures are written as {suffix}; name the file {path.stem}{suffix}")
    if path.is_dir() or not path.parent.is_dir():
        raise BadRequest(f"{path} cannot be written: create its folder first, with mkdir -p {path.parent}")
    if (why := why_not_writable(path if path.exists() else path.parent)) is not None:
        raise BadRequest(f"{path} cannot be written ({why}): name another place")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        grey_HW = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(grey_HW.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("a floating-point picture has no agreed range; convert it to 8 bits first")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")
