from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moonhand.model import BadImage, ImageConfig, image_transform, preprocess
from PIL import Image

INSTRUCT, THINKING_2506 = ImageConfig(in_token_limit=4096), ImageConfig(in_token_limit=16384)
BOTH = [INSTRUCT, THINKING_2506]


@pytest.mark.parametrize(
    ("size", "configs", "resized", "padded", "grid_hw", "num_patches", "num_tokens"),
    [
        ((640, 480), BOTH, (640, 480), (644, 504), (36, 46), 1656, 414),
        ((1024, 768), BOTH, (1024, 768), (1036, 784), (56, 74), 4144, 1036),
        ((1280, 720), [INSTRUCT], (1202, 676), (1204, 700), (50, 86), 4300, 1075),
        ((1280, 720), [THINKING_2506], (1280, 720), (1288, 728), (52, 92), 4784, 1196),
        ((1920, 1080), [INSTRUCT], (1196, 672), (1204, 672), (48, 86), 4128, 1032),
        ((1920, 1080), [THINKING_2506], (1920, 1080), (1932, 1092), (78, 138), 10764, 2691),
        ((2560, 1440), [THINKING_2506], (2404, 1352), (2408, 1372), (98, 172), 16856, 4214),
        ((3840, 2160), [INSTRUCT], (1196, 672), (1204, 672), (48, 86), 4128, 1032),
        ((3840, 2160), [THINKING_2506], (2392, 1345), (2408, 1372), (98, 172), 16856, 4214),
        ((1170, 2532), [INSTRUCT], (612, 1325), (616, 1344), (96, 44), 4224, 1056),
        ((1170, 2532), [THINKING_2506], (1170, 2532), (1176, 2548), (182, 84), 15288, 3822),
        ((240, 160), [ImageConfig(in_token_limit=64)], (140, 93), (140, 112), (8, 10), 80, 20),
    ],
)
def test_sizes_are_the_published_processors(
    size: tuple[int, int],
    configs: list[ImageConfig],
    resized: tuple[int, int],
    padded: tuple[int, int],
    grid_hw: tuple[int, int],
    num_patches: int,
    num_tokens: int,
) -> None:
    for config in configs:
        transform = image_transform(*size, config)
        assert (transform.resized_width_px, transform.resized_height_px) == resized
        assert (transform.padded_width_px, transform.padded_height_px) == padded
        assert (padded[1] // 14, padded[0] // 14) == grid_hw
        assert (grid_hw[0] * grid_hw[1], grid_hw[0] * grid_hw[1] // 4) == (num_patches, num_tokens)


@pytest.mark.parametrize("size", [(640, 480), (240, 160), (1, 1), (29, 28)])
def test_patches_are_as_many_as_the_sizes_say(size: tuple[int, int]) -> None:
    config = ImageConfig(in_token_limit=64)
    patches = preprocess(Image.new("RGB", size, "red"), config)
    height, width = patches.grid_hw
    assert patches.pixels_PCHW.shape == (height * width, 3, 14, 14)
    assert patches.pixels_PCHW.dtype == np.uint8
    assert patches.num_tokens(config) == height * width // 4
    assert patches.transform == image_transform(*size, config)


def _unpatch(pixels_PCHW: np.ndarray[Any, Any], grid_hw: tuple[int, int]) -> np.ndarray[Any, Any]:
    """The padded picture [H, W, 3], put together patch by patch, row by row."""
    height, width = grid_hw
    picture = np.zeros((height * 14, width * 14, 3), np.uint8)
    for index, patch_CHW in enumerate(pixels_PCHW):
        row, column = divmod(index, width)
        picture[row * 14 : row * 14 + 14, column * 14 : column * 14 + 14] = patch_CHW.transpose(1, 2, 0)
    return picture


def test_patches_run_row_by_row_and_padding_is_black_on_the_right_and_at_the_bottom() -> None:
    pixels_HW3 = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    patches = preprocess(pixels_HW3, INSTRUCT)
    assert patches.grid_hw == (4, 4)
    picture = _unpatch(patches.pixels_PCHW, patches.grid_hw)
    np.testing.assert_array_equal(picture[:30, :50], pixels_HW3)
    assert (picture[30:] == 0).all()
    assert (picture[:, 50:] == 0).all()


def test_large_pictures_are_reduced_by_pils_bicubic() -> None:
    pixels_HW3 = np.random.default_rng(0).integers(0, 256, (160, 240, 3), np.uint8)
    patches = preprocess(pixels_HW3, ImageConfig(in_token_limit=64))
    expected = np.asarray(Image.fromarray(pixels_HW3).resize((140, 93), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(_unpatch(patches.pixels_PCHW, (8, 10))[:93, :140], expected)


def test_an_array_and_the_same_picture_in_pil_give_the_same_patches() -> None:
    pixels_HW3 = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    flipped_HW3 = pixels_HW3[::-1, ::-1]  # a view with negative strides
    one, other = preprocess(flipped_HW3, INSTRUCT), preprocess(Image.fromarray(flipped_HW3.copy()), INSTRUCT)
    np.testing.assert_array_equal(one.pixels_PCHW, other.pixels_PCHW)


def _first_pixel(image: Image.Image) -> list[int]:
    return preprocess(image, INSTRUCT).pixels_PCHW[0, :, 0, 0].tolist()


def _animation() -> Image.Image:
    file = io.BytesIO()
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return Image.open(file)


def _palette() -> Image.Image:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    return image


def _sixteen_bits() -> Image.Image:
    return Image.fromarray(np.full((20, 20), 0x80FF, np.uint16))


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.new("L", (20, 20), 77), [77, 77, 77]),
        (Image.new("1", (20, 20), 1), [255, 255, 255]),
        (Image.new("CMYK", (20, 20), (0, 0, 0, 0)), [255, 255, 255]),
        (Image.new("RGBA", (20, 20), (10, 20, 30, 255)), [10, 20, 30]),
        (Image.new("RGBA", (20, 20), (10, 20, 30, 0)), [255, 255, 255]),
        (Image.new("LA", (20, 20), (0, 0)), [255, 255, 255]),
        (_palette(), [10, 200, 30]),
        (_sixteen_bits(), [128, 128, 128]),
        (Image.new("I", (20, 20), 0x80FF), [128, 128, 128]),
        (_animation(), [255, 0, 0]),
    ],
    ids=["grey", "1 bit", "cmyk", "opaque", "transparent", "transparent grey", "palette", "16 bits", "32 bits", "gif"],
)
def test_a_picture_of_any_mode_is_seen_in_colour(image: Image.Image, colour: list[int]) -> None:
    assert _first_pixel(image) == colour


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((0, 5, 3), np.uint8), "5x0 px: nothing to see"),
        (np.zeros((5, 0, 3), np.uint8), "0x5 px: nothing to see"),
        (np.zeros((5, 5), np.uint8), r"got uint8 \(5, 5\)"),
        (np.zeros((5, 5, 4), np.uint8), r"got uint8 \(5, 5, 4\)"),
        (np.zeros((5, 5, 3), np.float32), "got float32"),
        (Image.new("RGB", (0, 5)), "0x5 px: nothing to see"),
        (Image.new("F", (5, 5)), "convert it to 8 bits"),
        (np.zeros((1, 60_000, 3), np.uint8), r"4286x2 patches; each side must stay below 512 \(7168 px\)"),
    ],
    ids=["no rows", "no columns", "no colours", "four colours", "floats", "empty", "float mode", "too wide"],
)
def test_a_picture_that_cannot_be_seen_is_refused(picture: Any, message: str) -> None:
    with pytest.raises(BadImage, match=message):
        preprocess(picture, INSTRUCT)


def test_the_longest_side_that_is_taken_has_510_patches() -> None:
    assert image_transform(510 * 14, 28, INSTRUCT).padded_width_px == 7140
    with pytest.raises(BadImage, match="512x2 patches"):
        image_transform(510 * 14 + 1, 28, INSTRUCT)


def test_a_picture_that_would_vanish_is_refused() -> None:
    with pytest.raises(BadImage, match="vanishes at 1 patches"):
        image_transform(14, 1_000_000, ImageConfig(in_token_limit=1))


@given(st.integers(1, 4000), st.integers(1, 4000), st.floats(0, 1), st.floats(0, 1))
def test_a_model_point_lies_on_the_screenshot_and_comes_back(width: int, height: int, x: float, y: float) -> None:
    transform = image_transform(width, height, THINKING_2506)
    x_px, y_px = transform.to_px(x, y)
    assert 0 <= x_px <= width - 1
    assert 0 <= y_px <= height - 1
    back_x, back_y = transform.to_norm(x_px, y_px)
    assert abs(back_x - x) <= 1 / width + 1e-9
    assert abs(back_y - y) <= 1 / height + 1e-9


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_point_outside_is_brought_to_the_nearest_pixel(x: float, y: float) -> None:
    x_px, y_px = image_transform(300, 200, INSTRUCT).to_px(x, y)
    assert 0 <= x_px <= 299
    assert 0 <= y_px <= 199
