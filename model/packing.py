"""Grounding samples become training batches: many questions packed behind one screenshot.

The picture's tokens are paid once. Each question sees the picture and itself, never another question: positions
restart behind the prefix and a block mask keeps them apart. Beside the answers a batch carries dense targets: what
lies under each patch and each image token. Of a large screen only some image tokens are kept, those with something on
them first, each at its own place: most of a large screen is empty, and what is empty costs as much as what is not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from .chat import Message, Picture, render
from .config import KimiVLConfig
from .image import image_transform, levels_under_tokens, token_places
from .tokenizer import Tokenizer

Box = tuple[float, float, float, float]  # left, top, right, bottom, screenshot px
IGNORE = -100
BLANK_LEVELS = 8  # pixels under an image token that are no further apart make it an empty one
EDGES = ".,:;!?*\"'()[]{}<>"  # marks around a word that do not change which word it is


@dataclass(frozen=True)
class Region:
    """Something that can be pointed at: its class, the point to hit and the boxes that belong to it, px."""

    kind: int
    point_px: tuple[float, float]
    parts: tuple[Box, ...]


@dataclass(frozen=True)
class Query:
    """A question. Its answer is the point of a region (an index), a refusal (None), or `reply` where there is one."""

    instruction: str
    region: int | None
    reply: str | None = None
    counts: bool = False  # "the second link": true of the whole screen only


@dataclass(frozen=True)
class LabelledScreen:
    """A screenshot with everything known about it."""

    pixels_HW3: npt.NDArray[np.uint8]
    words: tuple[tuple[str, Box], ...]
    characters: tuple[tuple[int, Box], ...]  # (character class, box)
    regions: tuple[Region, ...]
    queries: tuple[Query, ...]


@dataclass(frozen=True)
class Batch:
    """Arrays of B screens; L tokens (padded), T image tokens and M patches a token for each screen.

    Without any question L is 0 and the tower alone has something to learn.
    """

    patches_BTMHW3: npt.NDArray[np.uint8]
    places_BTM: npt.NDArray[np.int64]  # place of each patch in its screen's grid, row by row
    grids_hw: tuple[tuple[int, int], ...]  # patches of each whole screen
    input_ids_BL: npt.NDArray[np.int64]
    positions_BL: npt.NDArray[np.int64]
    segments_BL: npt.NDArray[np.int64]  # 0 the prefix, 1.. the questions, -1 padding
    labels_BL: npt.NDArray[np.int64]  # the next token where it is to be learned, else IGNORE
    coordinates_BL: npt.NDArray[np.bool_]  # whether the next token is a coordinate
    asks_BL: npt.NDArray[np.int64]  # 1 where an answer's place is wanted, 2 where a word of a question has ended
    ask_tokens: npt.NDArray[np.bool_]  # [A, T]: for each of these, row by row, the image tokens that belong to it
    patch_characters_BTM2: npt.NDArray[np.int64]  # character class under its left and right half, or IGNORE
    patch_spelling_BTM: npt.NDArray[np.int64]  # which of `spellings` is under the patch, or IGNORE
    spellings: tuple[str, ...]
    token_kinds_BT: npt.NDArray[np.int64]  # 0 nothing, kind + 1
    token_points_BT2: npt.NDArray[np.float32]  # 0..1 point of the region under the token, NaN where none


def pack(
    screens: Sequence[LabelledScreen],
    tokenizer: Tokenizer,
    config: KimiVLConfig,
    *,
    num_tokens: int | None = None,
    seed: int = 0,
) -> Batch:
    """Pack screens, keeping `num_tokens` image tokens of each (None: all, of screens of one size).

    Questions about what was not kept are left out. Raises ValueError where a screen has fewer tokens than that or
    would have to be rescaled.
    """
    rng = random.Random(seed)
    asked = any(screen.queries for screen in screens)
    rows = [_pack_one(screen, tokenizer, config, num_tokens, rng, asked) for screen in screens]
    if len({len(row.places) for row in rows}) > 1:
        raise ValueError("screens of several sizes need num_tokens: one batch holds as many image tokens of each")
    length = max(len(row.ids) for row in rows)
    spellings = sorted({word for row in rows for word in row.spellings})
    index = {word: number for number, word in enumerate(spellings)}
    return Batch(
        patches_BTMHW3=np.stack([row.patches for row in rows]),
        places_BTM=np.stack([row.places for row in rows]),
        grids_hw=tuple(row.grid_hw for row in rows),
        input_ids_BL=_padded([row.ids for row in rows], length, tokenizer.pad),
        positions_BL=_padded([row.positions for row in rows], length, 0),
        segments_BL=_padded([row.segments for row in rows], length, -1),
        labels_BL=_padded([row.labels for row in rows], length, IGNORE),
        coordinates_BL=_padded([row.coordinates for row in rows], length, 0).astype(np.bool_),
        asks_BL=_padded([row.asks for row in rows], length, 0),
        ask_tokens=np.concatenate([row.ask_tokens for row in rows]),
        patch_characters_BTM2=np.stack([row.patch_characters for row in rows]),
        patch_spelling_BTM=np.stack(
            [
                np.array([IGNORE, *(index[word] for word in row.spellings)], np.int64)[row.patch_spelling + 1]
                for row in rows
            ]
        ),
        spellings=tuple(spellings),
        token_kinds_BT=np.stack([row.token_kinds for row in rows]),
        token_points_BT2=np.stack([row.token_points for row in rows]),
    )


def reply_for(point_norm: tuple[float, float] | None) -> str:
    """The answer that is taught: three decimals, always inside the screen, or a refusal."""
    if point_norm is None:
        return "refuse()"
    x, y = (min(999, max(0, int(v * 1000))) for v in point_norm)
    return f"click(x=0.{x:03d}, y=0.{y:03d})"


def bare(word: str) -> str:
    """A word without case and without the marks around it."""
    return word.strip(EDGES).lower()


@dataclass(frozen=True)
class _Row:
    patches: npt.NDArray[np.uint8]
    places: npt.NDArray[np.int64]
    grid_hw: tuple[int, int]
    ids: list[int]
    positions: list[int]
    segments: list[int]
    labels: list[int]
    coordinates: list[int]
    asks: list[int]
    ask_tokens: npt.NDArray[np.bool_]
    patch_characters: npt.NDArray[np.int64]
    patch_spelling: npt.NDArray[np.int64]  # -1 or an index into `spellings`
    spellings: tuple[str, ...]
    token_kinds: npt.NDArray[np.int64]
    token_points: npt.NDArray[np.float32]


def _pack_one(
    screen: LabelledScreen,
    tokenizer: Tokenizer,
    config: KimiVLConfig,
    num_tokens: int | None,
    rng: random.Random,
    asked: bool,
) -> _Row:
    height_px, width_px = screen.pixels_HW3.shape[:2]
    transform = image_transform(width_px, height_px, config.image)
    if (transform.resized_width_px, transform.resized_height_px) != (width_px, height_px):
        raise ValueError(f"{width_px}x{height_px} px exceeds the patch limit {config.image.in_token_limit}")
    patch_px, merge = config.vision.patch_size, config.vision.merge_kernel_size[0]
    token_px = patch_px * merge
    grid_hw = (transform.padded_height_px // patch_px, transform.padded_width_px // patch_px)
    token_hw = (grid_hw[0] // merge, grid_hw[1] // merge)
    down_px, right_px = transform.padded_height_px - height_px, transform.padded_width_px - width_px
    pixels = np.pad(screen.pixels_HW3, ((0, down_px), (0, right_px), (0, 0)))

    covered = [
        np.logical_or.reduce([_coverage(part, token_hw, token_px) > 0.25 for part in region.parts])
        for region in screen.regions
    ]
    kept_T = np.arange(token_hw[0] * token_hw[1])
    whole = True
    if num_tokens is not None:
        kept_T, whole = _choose(pixels, covered, token_hw, token_px, num_tokens, rng)
    covered = [cells[kept_T] for cells in covered]
    kinds = np.zeros(len(kept_T), np.int64)
    points = np.full((len(kept_T), 2), np.nan, np.float32)
    for region, cells in zip(screen.regions, covered, strict=True):
        kinds[cells] = region.kind + 1
        points[cells] = (region.point_px[0] / width_px, region.point_px[1] / height_px)

    places = token_places(grid_hw, (merge, merge))[kept_T]
    spelling = np.full(grid_hw[0] * grid_hw[1], -1, np.int64)
    best = np.full(spelling.shape, 0.25)
    spellings = tuple(dict.fromkeys(bare(word) for word, _ in screen.words))
    word_cells: dict[str, npt.NDArray[np.bool_]] = {}
    for word, box in screen.words:
        over = _coverage(box, grid_hw, patch_px)
        wins = over > best
        spelling[wins], best[wins] = spellings.index(bare(word)), over[wins]
        cells = (_coverage(box, token_hw, token_px) > 0.2)[kept_T]
        word_cells[bare(word)] = word_cells.get(bare(word), False) | cells
    words_seen = {word: cells for word, cells in word_cells.items() if word and cells.any()}

    questions = _Questions(screen, tokenizer, (width_px, height_px), kept_T, token_hw[0] * token_hw[1])
    if asked:
        questions.begin()
    for query in screen.queries:
        if (whole or not query.counts) and (query.region is None or covered[query.region].any()):
            questions.add(query, None if query.region is None else covered[query.region], words_seen)
    patches = pixels.reshape(grid_hw[0], patch_px, grid_hw[1], patch_px, 3).swapaxes(1, 2)
    return _Row(
        patches=patches.reshape(-1, patch_px, patch_px, 3)[places],
        places=places,
        grid_hw=grid_hw,
        ids=questions.ids,
        positions=questions.positions,
        segments=questions.segments,
        labels=questions.labels,
        coordinates=questions.coordinates,
        asks=questions.asks,
        ask_tokens=np.array(questions.ask_tokens, np.bool_).reshape(-1, len(kept_T)),
        patch_characters=_halves(screen.characters, grid_hw, patch_px)[places],
        patch_spelling=spelling[places],
        spellings=spellings,
        token_kinds=kinds,
        token_points=points,
    )


class _Questions:
    """The token row of one screen: its prefix, then a block a question."""

    def __init__(
        self,
        screen: LabelledScreen,
        tokenizer: Tokenizer,
        size_px: tuple[int, int],
        kept_T: npt.NDArray[np.int64],
        num_tokens: int,
    ) -> None:
        self.screen = screen
        self.tokenizer = tokenizer
        self.size_px = size_px
        self.kept_T = kept_T
        self.num_tokens = num_tokens
        self.count = 0
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.segments: list[int] = []
        self.labels: list[int] = []
        self.coordinates: list[int] = []
        self.asks: list[int] = []
        self.ask_tokens: list[npt.NDArray[np.bool_]] = []

    def begin(self) -> None:
        """The picture: what all questions share."""
        turn = Message("user", (Picture(self.screen.pixels_HW3),))
        prompt = render([turn], self.tokenizer, [self.num_tokens])
        first, end = prompt.index(self.tokenizer.media_pad), prompt.index(self.tokenizer.media_end) + 1
        keep = [*range(first), *(first + self.kept_T).tolist(), *range(first + self.num_tokens, end)]
        self._extend([prompt[at] for at in keep], keep, segment=0)

    def add(
        self, query: Query, answer_T: npt.NDArray[np.bool_] | None, words_seen: dict[str, npt.NDArray[np.bool_]]
    ) -> None:
        tokenizer, screen = self.tokenizer, self.screen
        turn = Message("user", (Picture(screen.pixels_HW3), query.instruction))
        prompt = render([turn], tokenizer, [self.num_tokens])
        prefix = prompt.index(tokenizer.media_end) + 1
        self.count += 1
        reply_text = query.reply
        if reply_text is None:
            point = None
            if query.region is not None:
                x_px, y_px = screen.regions[query.region].point_px
                point = (x_px / self.size_px[0], y_px / self.size_px[1])
            reply_text = reply_for(point)
        asked, reply = prompt[prefix:], [*tokenizer.encode(reply_text), tokenizer.im_end]
        block = asked + reply[:-1]
        start, answer_at = len(self.ids), len(self.ids) + len(asked) - 1
        self._extend(block, range(prefix, prefix + len(block)), segment=self.count)
        self.labels[answer_at:] = reply
        words = _word_ends(query.instruction, asked, tokenizer)
        marks: list[tuple[int, int, npt.NDArray[np.bool_]]] = [
            (start + at, 2, words_seen[word]) for at, word in words if word in words_seen
        ]
        if reply_text.startswith("click("):
            for at, token in enumerate(reply):
                if len(tokenizer.decode_bytes([token])) == 3 and tokenizer.decode([token]).isdigit():
                    self.coordinates[answer_at + at] = 1
                    if answer_T is not None:
                        marks.append((answer_at + at, 1, answer_T))
        if answer_T is not None:
            marks.append((answer_at, 1, answer_T))
        for at, kind, tokens_T in sorted(marks, key=lambda mark: mark[0]):
            self.asks[at] = kind
            self.ask_tokens.append(tokens_T)

    def _extend(self, ids: Sequence[int], positions: Sequence[int], segment: int) -> None:
        self.ids += ids
        self.positions += positions
        self.segments += [segment] * len(ids)
        self.labels += [IGNORE] * len(ids)
        self.coordinates += [0] * len(ids)
        self.asks += [0] * len(ids)


def _word_ends(instruction: str, asked: Sequence[int], tokenizer: Tokenizer) -> list[tuple[int, str]]:
    """The words of an instruction with the token at which each has been spelled, in tokens of `asked`."""
    data = instruction.encode()
    ends = list(accumulate(len(tokenizer.decode_bytes([token])) for token in tokenizer.encode(instruction)))
    found: list[tuple[int, str]] = []
    at = 0
    for word in data.split():
        at = data.index(word, at) + len(word)
        token = next(number for number, end in enumerate(ends) if end >= at)
        if not found or found[-1][0] != token:
            found.append((token, bare(word.decode())))
    return found if ends and list(asked[: len(ends)]) == tokenizer.encode(instruction) else []


def _choose(
    pixels: npt.NDArray[np.uint8],
    covered: Sequence[npt.NDArray[np.bool_]],
    token_hw: tuple[int, int],
    token_px: int,
    num_tokens: int,
    rng: random.Random,
) -> tuple[npt.NDArray[np.int64], bool]:
    """Which image tokens are kept, in order, and whether none with something on it is missing.

    First come those with something on them, from a random middle outwards, then what controls cover, then any.
    """
    rows, columns = token_hw
    if rows * columns < num_tokens:
        raise ValueError(f"a screen of {rows}x{columns} image tokens cannot give {num_tokens}")
    busy = levels_under_tokens(pixels, (token_px, token_px)) > BLANK_LEVELS
    area = np.logical_or.reduce(covered) if covered else np.zeros(rows * columns, np.bool_)
    noise = np.random.default_rng(rng.getrandbits(32)).random(rows * columns)
    row, column = np.divmod(np.arange(rows * columns), columns)
    middle = (rng.random() * rows, rng.random() * columns)
    far = np.maximum(abs(row - middle[0]) / rows, abs(column - middle[1]) / columns)  # a window of the screen's shape
    lazy = rng.random()  # how many of the empty ones among the controls' stay behind
    rank = np.where(busy, far, np.where(area & (noise > lazy), 1 + far, 3 + noise))
    return np.sort(np.argsort(rank, kind="stable")[:num_tokens]), int(busy.sum()) <= num_tokens


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
