"""A picture becomes patches: the Kimi-VL image processor, and the one map between screenshot px and 0..1.

The steps and their order are the published processor's: rescale only above the patch limit (PIL bicubic, truncated
sizes), zero padding on the right and the bottom to whole merge groups, row-major patches. Mean and std come last and on
the model's device (`vision.normalise`): bytes are a quarter to carry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from .config import ImageConfig
from .errors import BadImage

MAX_PATCHES_PER_SIDE = 512  # the rotary table's side; a grid must stay below it


@dataclass(frozen=True, kw_only=True)
class ImageTransform:
    """Where screenshot px lie in what the model saw.

    The model's 0..1 is of the CONTENT, never of the padding, so it equals 0..1 of the screenshot; the padded sizes are
    kept for whoever must address patches.
    """

    width_px: int
    height_px: int
    resized_width_px: int
    resized_height_px: int
    padded_width_px: int
    padded_height_px: int

    def to_px(self, x_norm: float, y_norm: float) -> tuple[float, float]:
        """Screenshot px of a point in 0..1; 1.0 is the last pixel, so a legal point never leaves the screen."""
        return (
            min(max(x_norm, 0.0) * self.width_px, self.width_px - 1.0),
            min(max(y_norm, 0.0) * self.height_px, self.height_px - 1.0),
        )

    def to_norm(self, x_px: float, y_px: float) -> tuple[float, float]:
        """0..1 of a point in screenshot px."""
        return x_px / self.width_px, y_px / self.height_px


@dataclass(frozen=True, kw_only=True)
class ImagePatches:
    """One preprocessed picture: `pixels_PCHW` uint8 [P, 3, p, p], as yet without mean and std, `grid_hw` in patches.

    Where blank parts are left out, `kept_TM` int64 [T, M] says for each image token that stays the places of its M
    patches in the grid, row by row, and the patches come in that order; else all do, row by row.
    """

    pixels_PCHW: npt.NDArray[np.uint8]
    grid_hw: tuple[int, int]
    transform: ImageTransform
    kept_TM: npt.NDArray[np.int64] | None = None

    def num_tokens(self, config: ImageConfig) -> int:
        """Image tokens after the merge."""
        if self.kept_TM is not None:
            return len(self.kept_TM)
        return self.grid_hw[0] * self.grid_hw[1] // (config.merge_kernel_size[0] * config.merge_kernel_size[1])

    def positions(self, config: ImageConfig) -> tuple[npt.NDArray[np.int64], int]:
        """Where each image token stands among the whole picture's, int64 [T], and how many those are."""
        columns = self.grid_hw[1] // config.merge_kernel_size[1]
        total = self.grid_hw[0] // config.merge_kernel_size[0] * columns
        if self.kept_TM is None:
            return np.arange(total), total
        row, column = np.divmod(self.kept_TM[:, 0], self.grid_hw[1])
        return row // config.merge_kernel_size[0] * columns + column // config.merge_kernel_size[1], total


def image_transform(width_px: int, height_px: int, config: ImageConfig) -> ImageTransform:
    """The geometry of preprocessing, from the picture's size alone."""
    if width_px < 1 or height_px < 1:
        raise BadImage(f"the picture is {width_px}x{height_px} px: nothing to see")
    p = config.patch_size
    num_patches = (width_px // p) * (height_px // p)
    resized_width_px, resized_height_px = width_px, height_px
    if num_patches > config.in_token_limit:
        scale = math.sqrt(config.in_token_limit / num_patches)
        resized_width_px, resized_height_px = int(width_px * scale), int(height_px * scale)
        if resized_width_px < 1 or resized_height_px < 1:
            raise BadImage(f"a {width_px}x{height_px} px picture vanishes at {config.in_token_limit} patches: crop it")
    unit_y_px, unit_x_px = (p * k for k in config.merge_kernel_size)
    padded_width_px = -(-resized_width_px // unit_x_px) * unit_x_px
    padded_height_px = -(-resized_height_px // unit_y_px) * unit_y_px
    if padded_width_px // p >= MAX_PATCHES_PER_SIDE or padded_height_px // p >= MAX_PATCHES_PER_SIDE:
        raise BadImage(
            f"a {width_px}x{height_px} px picture becomes {padded_width_px // p}x{padded_height_px // p} patches; "
            f"each side must stay below {MAX_PATCHES_PER_SIDE} ({MAX_PATCHES_PER_SIDE * p} px): crop it"
        )
    return ImageTransform(
        width_px=width_px,
        height_px=height_px,
        resized_width_px=resized_width_px,
        resized_height_px=resized_height_px,
        padded_width_px=padded_width_px,
        padded_height_px=padded_height_px,
    )


def preprocess(picture: npt.NDArray[np.uint8] | Image.Image, config: ImageConfig) -> ImagePatches:
    """Patches of a picture: an array uint8 [H, W, 3] RGB, or a PIL image of any mode (its first frame)."""
    canvas_HWC, transform = _canvas(picture, config)
    p = config.patch_size
    grid_hw = (transform.padded_height_px // p, transform.padded_width_px // p)
    cells_hHwWC = canvas_HWC.reshape(grid_hw[0], p, grid_hw[1], p, 3)
    patches_PCHW = cells_hHwWC.transpose(0, 2, 4, 1, 3).reshape(-1, 3, p, p)
    kept_TM = None
    if config.blank_levels is not None:
        kept_TM = token_places(grid_hw, config.merge_kernel_size)[_not_blank(canvas_HWC, config, config.blank_levels)]
        patches_PCHW = patches_PCHW[kept_TM.flatten()]
    return ImagePatches(pixels_PCHW=patches_PCHW, grid_hw=grid_hw, transform=transform, kept_TM=kept_TM)


def count_tokens(picture: npt.NDArray[np.uint8], config: ImageConfig) -> int:
    """Image tokens of a screenshot: what `preprocess(...).num_tokens` would say, for less work.

    Its size alone says so, unless blank parts are left out.
    """
    unit_y_px, unit_x_px = (config.patch_size * k for k in config.merge_kernel_size)
    if config.blank_levels is not None:
        return len(_not_blank(_canvas(picture, config)[0], config, config.blank_levels))
    size = image_transform(picture.shape[1], picture.shape[0], config)
    return (size.padded_height_px // unit_y_px) * (size.padded_width_px // unit_x_px)


def _canvas(
    picture: npt.NDArray[np.uint8] | Image.Image, config: ImageConfig
) -> tuple[npt.NDArray[np.uint8], ImageTransform]:
    """The picture in RGB, shrunk to the patch limit and padded to whole merge groups, uint8 [H, W, 3]."""
    image = _picture(picture)
    transform = image_transform(image.width, image.height, config)
    resized = (transform.resized_width_px, transform.resized_height_px)
    if resized != image.size:
        image = image.resize(resized, Image.Resampling.BICUBIC)
    down_px, right_px = transform.padded_height_px - image.height, transform.padded_width_px - image.width
    return np.pad(np.asarray(image, dtype=np.uint8), ((0, down_px), (0, right_px), (0, 0))), transform


def token_places(grid_hw: tuple[int, int], merge_hw: tuple[int, int]) -> npt.NDArray[np.int64]:
    """[T, M]: for each image token, row by row, the places of its patches in the grid."""
    rows, columns = grid_hw[0] // merge_hw[0], grid_hw[1] // merge_hw[1]
    cells = np.arange(grid_hw[0] * grid_hw[1]).reshape(rows, merge_hw[0], columns, merge_hw[1])
    return cells.swapaxes(1, 2).reshape(rows * columns, -1)


def levels_under_tokens(pixels_HWC: npt.NDArray[np.uint8], unit_hw_px: tuple[int, int]) -> npt.NDArray[np.int64]:
    """[T]: how far the pixels under each image token are apart, in the channel where they differ most, 0 to 255."""
    height_px, width_px = pixels_HWC.shape[:2]
    cells = pixels_HWC.reshape(height_px // unit_hw_px[0], unit_hw_px[0], width_px // unit_hw_px[1], unit_hw_px[1], -1)
    high, low = cells.max(1).max(2), cells.min(1).min(2)  # rows first: whole lines of bytes at a time
    return (high.astype(np.int64) - low).max(-1).reshape(-1)


def _not_blank(canvas_HWC: npt.NDArray[np.uint8], config: ImageConfig, levels: int) -> npt.NDArray[np.int64]:
    """Which image tokens have something on them, in order; the first of a picture that has nothing at all."""
    unit_y_px, unit_x_px = (config.patch_size * k for k in config.merge_kernel_size)
    kept = np.flatnonzero(levels_under_tokens(canvas_HWC, (unit_y_px, unit_x_px)) > levels)
    return kept if len(kept) else np.zeros(1, np.int64)


def to_rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode in RGB: 16 bits scaled to 8, transparency laid on white, CMYK as Pillow has it.

    ValueError for floating point. The published processor converts after it has shrunk, which differs for palette and
    transparent pictures only (nearest-neighbour resize, black under transparency); a screenshot is neither.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        grey_HW = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(grey_HW.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("a floating-point picture has no agreed range: convert it to 8 bits first")
    if is_transparent(image):
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def is_transparent(image: Image.Image) -> bool:
    """Whether parts of it may be; "a" is Pillow's word for an alpha that the colours are multiplied by."""
    return "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info


def _picture(picture: npt.NDArray[np.uint8] | Image.Image) -> Image.Image:
    """In RGB, before all else, so that one rule holds for every mode. BadImage for none and an empty one."""
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise BadImage(f"a screenshot is a uint8 array [height, width, 3], got {picture.dtype} {picture.shape}")
        if 0 in picture.shape:
            raise BadImage(f"the picture is {picture.shape[1]}x{picture.shape[0]} px: nothing to see")
        return Image.fromarray(np.ascontiguousarray(picture))
    if picture.width < 1 or picture.height < 1:
        raise BadImage(f"the picture is {picture.width}x{picture.height} px: nothing to see")
    try:
        return to_rgb(picture)
    except ValueError as error:
        raise BadImage(f"the picture cannot be seen: {error}") from error
