"""Grounding samples become training batches: many questions packed behind one screenshot.

The picture's tokens are paid once. Each question sees the picture and itself, never another question: positions
restart behind the prefix and a block mask keeps them apart. Beside the answers a batch carries dense targets: what
lies under each patch and each image token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .chat import Message, Picture, render
from .config import KimiVLConfig
from .image import image_transform
from .tokenizer import Tokenizer

Box = tuple[float, float, float, float]  # left, top, right, bottom, screenshot px
IGNORE = -100


@dataclass(frozen=True)
class Region:
    """Something that can be pointed at: its class, the point to hit and the boxes that belong to it, px."""

    kind: int
    point_px: tuple[float, float]
    parts: tuple[Box, ...]


@dataclass(frozen=True)
class LabelledScreen:
    """A screenshot with everything known about it. `questions` name a region by index, or None: refuse."""

    pixels_HW3: npt.NDArray[np.uint8]
    words: tuple[tuple[int, Box], ...]  # (word class, box)
    characters: tuple[tuple[int, Box], ...]  # (character class, box)
    regions: tuple[Region, ...]
    questions: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True)
class Batch:
    """Arrays of B screens of one size; L tokens (padded), P patches and T image tokens a screen.

    Without any question L is 0 and the tower alone has something to learn.
    """

    pixels_BHW3: npt.NDArray[np.uint8]  # padded to whole merge groups
    input_ids_BL: npt.NDArray[np.int64]
    positions_BL: npt.NDArray[np.int64]
    segments_BL: npt.NDArray[np.int64]  # 0 the prefix, 1.. the questions, -1 padding
    labels_BL: npt.NDArray[np.int64]  # the next token where it is to be learned, else IGNORE
    patch_words_BP: npt.NDArray[np.int64]  # word class of the patch, or IGNORE
    patch_characters_BP2: npt.NDArray[np.int64]  # character class under its left and right half, or IGNORE
    token_words_BTC: npt.NDArray[np.float32]  # word classes under each image token, rows sum to 1 or 0
    token_kinds_BT: npt.NDArray[np.int64]  # 0 nothing, kind + 1
    token_points_BT2: npt.NDArray[np.float32]  # 0..1 point of the region under the token, NaN where none
    ask_positions_BQ: npt.NDArray[np.int64]  # where each question's reply begins, -1 where there is none
    ask_tokens_BQT: npt.NDArray[np.bool_]  # image tokens of the region asked for


def pack(screens: Sequence[LabelledScreen], tokenizer: Tokenizer, config: KimiVLConfig, *, num_words: int) -> Batch:
    """Pack screens of one size; raises ValueError when sizes differ or a screen would have to be rescaled."""
    height_px, width_px = screens[0].pixels_HW3.shape[:2]
    if {screen.pixels_HW3.shape for screen in screens} != {(height_px, width_px, 3)}:
        raise ValueError(f"one batch holds screens of one size, got {sorted({s.pixels_HW3.shape for s in screens})}")
    transform = image_transform(width_px, height_px, config.image)
    if (transform.resized_width_px, transform.resized_height_px) != (width_px, height_px):
        raise ValueError(f"{width_px}x{height_px} px exceeds the patch limit {config.image.in_token_limit}")
    patch_px = config.vision.patch_size
    merge = config.vision.merge_kernel_size[0]
    grid_hw = (transform.padded_height_px // patch_px, transform.padded_width_px // patch_px)
    token_hw = (grid_hw[0] // merge, grid_hw[1] // merge)
    rows = [
        _pack_one(screen, tokenizer, grid_hw, token_hw, (width_px, height_px), patch_px, merge, num_words)
        for screen in screens
    ]
    length = max(len(row.ids) for row in rows)
    asks = max(1, max(len(row.ask_positions) for row in rows))
    pad = tokenizer.pad
    down_px, right_px = transform.padded_height_px - height_px, transform.padded_width_px - width_px
    return Batch(
        pixels_BHW3=np.stack([np.pad(s.pixels_HW3, ((0, down_px), (0, right_px), (0, 0))) for s in screens]),
        input_ids_BL=_padded([row.ids for row in rows], length, pad),
        positions_BL=_padded([row.positions for row in rows], length, 0),
        segments_BL=_padded([row.segments for row in rows], length, -1),
        labels_BL=_padded([row.labels for row in rows], length, IGNORE),
        patch_words_BP=np.stack([row.patch_words for row in rows]),
        patch_characters_BP2=np.stack([row.patch_characters for row in rows]),
        token_words_BTC=np.stack([row.token_words for row in rows]),
        token_kinds_BT=np.stack([row.token_kinds for row in rows]),
        token_points_BT2=np.stack([row.token_points for row in rows]),
        ask_positions_BQ=_padded([row.ask_positions for row in rows], asks, -1),
        ask_tokens_BQT=np.stack([np.pad(row.ask_tokens, ((0, asks - len(row.ask_tokens)), (0, 0))) for row in rows]),
    )


def reply_for(point_norm: tuple[float, float] | None) -> str:
    """The answer that is taught: three decimals, always inside the screen, or a refusal."""
    if point_norm is None:
        return "refuse()"
    x, y = (min(999, max(0, int(v * 1000))) for v in point_norm)
    return f"click(x=0.{x:03d}, y=0.{y:03d})"


@dataclass(frozen=True)
class _Row:
    ids: list[int]
    positions: list[int]
    segments: list[int]
    labels: list[int]
    ask_positions: list[int]
    ask_tokens: npt.NDArray[np.bool_]
    patch_words: npt.NDArray[np.int64]
    patch_characters: npt.NDArray[np.int64]
    token_words: npt.NDArray[np.float32]
    token_kinds: npt.NDArray[np.int64]
    token_points: npt.NDArray[np.float32]


def _pack_one(
    screen: LabelledScreen,
    tokenizer: Tokenizer,
    grid_hw: tuple[int, int],
    token_hw: tuple[int, int],
    size_px: tuple[int, int],
    patch_px: int,
    merge: int,
    num_words: int,
) -> _Row:
    token_px = patch_px * merge
    num_tokens = token_hw[0] * token_hw[1]
    kinds = np.zeros(num_tokens, np.int64)
    points = np.full((num_tokens, 2), np.nan, np.float32)
    covered: list[npt.NDArray[np.bool_]] = []
    for region in screen.regions:
        cells = np.zeros(num_tokens, np.bool_)
        for part in region.parts:
            cells |= _coverage(part, token_hw, token_px) > 0.25
        covered.append(cells)
        kinds[cells] = region.kind + 1
        points[cells] = (region.point_px[0] / size_px[0], region.point_px[1] / size_px[1])
    patch_words = np.full(grid_hw[0] * grid_hw[1], IGNORE, np.int64)
    best = np.full(patch_words.shape, 0.25)
    token_words = np.zeros((num_tokens, num_words), np.float32)
    for word, box in screen.words:
        over = _coverage(box, grid_hw, patch_px)
        wins = over > best
        patch_words[wins], best[wins] = word, over[wins]
        token_words[_coverage(box, token_hw, token_px) > 0.2, word] = 1
    token_words /= np.maximum(token_words.sum(-1, keepdims=True), 1)

    picture = Picture(screen.pixels_HW3)
    ids: list[int] = []
    positions: list[int] = []
    segments: list[int] = []
    labels: list[int] = []
    ask_positions: list[int] = []
    prefix = 0
    for number, (instruction, region_index) in enumerate(screen.questions):
        prompt = render([Message("user", (picture, instruction))], tokenizer, [num_tokens])
        if number == 0:
            prefix = prompt.index(tokenizer.media_end) + 1
            ids, positions = prompt[:prefix], list(range(prefix))
            segments, labels = [0] * prefix, [IGNORE] * prefix
        point = None
        if region_index is not None:
            x_px, y_px = screen.regions[region_index].point_px
            point = (x_px / size_px[0], y_px / size_px[1])
        reply = [*tokenizer.encode(reply_for(point)), tokenizer.im_end]
        asked = prompt[prefix:]
        block = asked + reply[:-1]
        ask_positions.append(len(ids) + len(asked) - 1)
        labels += [IGNORE] * (len(asked) - 1) + reply
        positions += range(prefix, prefix + len(block))
        segments += [number + 1] * len(block)
        ids += block
    ask_tokens = np.zeros((len(screen.questions), num_tokens), np.bool_)
    for number, (_, region_index) in enumerate(screen.questions):
        if region_index is not None:
            ask_tokens[number] = covered[region_index]
    return _Row(
        ids=ids,
        positions=positions,
        segments=segments,
        labels=labels,
        ask_positions=ask_positions,
        ask_tokens=ask_tokens,
        patch_words=patch_words,
        patch_characters=_halves(screen.characters, grid_hw, patch_px),
        token_words=token_words,
        token_kinds=kinds,
        token_points=points,
    )


def _halves(characters: Sequence[tuple[int, Box]], grid_hw: tuple[int, int], patch_px: int) -> npt.NDArray[np.int64]:
    """[P, 2]: the character under the middle of each patch half, where the patch holds most of its middle band."""
    height, width = grid_hw
    half_px = patch_px / 2
    found = np.full((height, 2 * width), IGNORE, np.int64)
    for character, (left, top, right, bottom) in characters:
        band_top, band_bottom = top + 0.3 * (bottom - top), bottom - 0.25 * (bottom - top)
        first = max(0, int(np.ceil(left / half_px - 0.5)))
        last = min(2 * width - 1, int(np.floor(right / half_px - 0.5)))
        for row in range(max(0, int(band_top // patch_px)), min(height - 1, int(band_bottom // patch_px)) + 1):
            seen_px = min(band_bottom, (row + 1) * patch_px) - max(band_top, row * patch_px)
            if seen_px >= 0.6 * min(band_bottom - band_top, patch_px):
                found[row, first : last + 1] = character
    return found.reshape(height * width, 2)


def _coverage(box: Box, grid_hw: tuple[int, int], cell_px: int) -> npt.NDArray[np.float64]:
    """Overlap of a box with each cell, as a share of the smaller of the two, row by row."""
    rows, columns = (np.arange(n) * cell_px for n in grid_hw)
    across = np.minimum(box[2], columns + cell_px) - np.maximum(box[0], columns)
    down = np.minimum(box[3], rows + cell_px) - np.maximum(box[1], rows)
    overlap = np.maximum(down, 0)[:, None] * np.maximum(across, 0)[None]
    smaller = min(max((box[2] - box[0]) * (box[3] - box[1]), 1.0), float(cell_px * cell_px))
    return (overlap / smaller).reshape(-1)


def _padded(rows: Sequence[Sequence[int]], length: int, value: int) -> npt.NDArray[np.int64]:
    out = np.full((len(rows), length), value, np.int64)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return out
