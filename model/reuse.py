"""What is kept between prompts: the latents of earlier ones, and the features of pictures seen before.

Latents are reused for the part that two prompts begin with, token for token; features for equal pixels anywhere.
Neither class is safe to use from several threads.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .kv_cache import LatentCache

Key: TypeAlias = int | tuple[bytes, int]  # a text token's id; an image token's picture and its place in it

# The fewest tokens worth reusing: every prompt of a checkpoint begins with the same dozen.
MIN_TOKENS = 32
_BLOCK = 512  # keys compared at a time


class PrefixCache:
    """Latents of earlier prompts and replies, within a budget of bytes; the least recently used go first.

    Counters: `lookups`, `hits` (lookups that found something) and `reused_tokens` (of all hits); `nbytes` and `len` are
    what it holds now.
    """

    def __init__(self, budget_bytes: int, *, min_tokens: int = MIN_TOKENS) -> None:
        """Prefixes of fewer than `min_tokens` are not looked at."""
        _require_budget(budget_bytes, "prefix")
        if min_tokens < 1:
            raise ValueError(f"min_tokens must be >= 1, got {min_tokens}")
        self.budget_bytes = budget_bytes
        self.lookups = self.hits = self.reused_tokens = 0
        self._min_tokens = min_tokens
        self._entries: list[tuple[list[Key], LatentCache]] = []  # the least recently used first

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        """Of all latents held, the room behind them included."""
        return sum(cache.nbytes for _, cache in self._entries)

    def take(self, keys: Sequence[Key]) -> tuple[LatentCache, int] | None:
        """A cache that holds the longest known beginning of a prompt and nothing else, and how many tokens that is.

        It is the caller's from now on: run the tokens behind it (at least one, so that there are logits; never only
        the rest of a picture), then `put` it. An entry of which the prompt shares less than half stays here, and the
        caller gets a copy of that part. None where nothing known begins the same.
        """
        found = self._longest(keys)
        if found is None:
            return None
        index, count = found
        known, cache = self._entries.pop(index)
        if 2 * count < len(known):
            self._entries.append((known, cache))
            return cache.grown(count, keep=count), count
        cache.truncate(0, count)
        return cache, count

    def look(self, keys: Sequence[Key]) -> tuple[LatentCache, int] | None:
        """The same, but the cache stays here, with all it holds: copy the first so many tokens of it at once."""
        found = self._longest(keys)
        if found is None:
            return None
        index, count = found
        self._entries.append(self._entries.pop(index))
        return self._entries[-1][1], count

    def _longest(self, keys: Sequence[Key]) -> tuple[int, int] | None:
        """Which entry begins most like this prompt, and how many of its tokens are worth reusing."""
        self.lookups += 1
        keys = list(keys)
        index, count = -1, 0
        for other, (known, _) in enumerate(self._entries):
            common = _common(known, keys)
            if common >= count:  # of equals the last used
                index, count = other, common
        count = _before_picture(keys, min(count, len(keys) - 1))
        if count < self._min_tokens:
            return None
        self.hits += 1
        self.reused_tokens += count
        return index, count

    def put(self, keys: Sequence[Key], cache: LatentCache) -> None:
        """Keep a cache of one row, whose tokens have these keys; it must not be written to any more.

        Entries that it continues are dropped. What is larger than the whole budget even without its spare room is not
        kept.
        """
        if len(cache.lengths) != 1 or cache.lengths[0] != len(keys):
            raise ValueError(f"{len(keys)} keys do not name the tokens of a cache whose rows hold {cache.lengths}")
        if not keys:
            return
        if cache.nbytes > self.budget_bytes:
            if cache.nbytes // cache.max_length * len(keys) > self.budget_bytes:
                return
            cache = cache.grown(len(keys))
        keys = list(keys)
        self._entries = [entry for entry in self._entries if _common(entry[0], keys) < len(entry[0])]
        self._entries.append((keys, cache))
        while self.nbytes > self.budget_bytes:
            del self._entries[0]

    def clear(self) -> None:
        self._entries.clear()


class FeatureCache:
    """Features of pictures by their `picture_digest`, within a budget of bytes; the least recently used go first.

    One cache belongs to one model and one image processor: they decide the features together with the pixels.
    Counters: `lookups` and `hits`; `nbytes` and `len` are what it holds now.
    """

    def __init__(self, budget_bytes: int) -> None:
        _require_budget(budget_bytes, "feature")
        self.budget_bytes = budget_bytes
        self.lookups = self.hits = self.nbytes = 0
        self._features: OrderedDict[bytes, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._features)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._features

    def get(self, digest: bytes) -> Tensor | None:
        """Features [T, D] of a picture seen before; not to be written to."""
        self.lookups += 1
        features_TD = self._features.get(digest)
        if features_TD is not None:
            self.hits += 1
            self._features.move_to_end(digest)
        return features_TD

    def put(self, digest: bytes, features_TD: Tensor) -> None:
        """Keep a picture's features; a part of a larger tensor is copied out of it."""
        if features_TD.nbytes > self.budget_bytes:
            return
        if features_TD.untyped_storage().nbytes() > features_TD.nbytes:
            features_TD = features_TD.clone()
        if (before_TD := self._features.pop(digest, None)) is not None:
            self.nbytes -= before_TD.nbytes
        self._features[digest] = features_TD
        self.nbytes += features_TD.nbytes
        while self.nbytes > self.budget_bytes:
            self.nbytes -= self._features.popitem(last=False)[1].nbytes

    def clear(self) -> None:
        self._features.clear()
        self.nbytes = 0


def picture_digest(pixels_HW3: npt.NDArray[np.uint8]) -> bytes:
    """32 bytes that name a picture by its pixels and shape, however it lies in memory; 3 ms for 1920x1080."""
    if not pixels_HW3.flags.c_contiguous:
        whole_HW3 = np.empty(pixels_HW3.shape, pixels_HW3.dtype)
        for channel in range(pixels_HW3.shape[-1]):  # a third of the time that ascontiguousarray takes
            whole_HW3[..., channel] = pixels_HW3[..., channel]
        pixels_HW3 = whole_HW3
    digest = hashlib.sha256(f"{pixels_HW3.shape} ".encode())
    digest.update(pixels_HW3.data)
    return digest.digest()


def prompt_keys(
    prompt_ids: Sequence[int], media_id: int, digests: Sequence[bytes], places: Sequence[Iterable[int]]
) -> list[Key]:
    """One key a token; prompts with equal keys have equal latents.

    `places` says for each picture where its image tokens stand among all of the picture's, as `ImagePatches.positions`
    does: `range(count)` where none was left out.
    """
    ids = list(prompt_ids)
    keys: list[Key] = list(ids)
    at = 0
    for digest, places_T in zip(digests, places, strict=True):
        image = list(zip(repeat(digest), places_T.tolist() if isinstance(places_T, np.ndarray) else places_T))
        start = _find(ids, media_id, at)
        at = start + len(image)
        if not image or ids[start:at] != [media_id] * len(image):
            raise ValueError(f"the prompt has no {len(image)} media placeholders in a row for its next picture")
        keys[start:at] = image
    if _find(ids, media_id, at) < len(ids):
        raise ValueError(f"the prompt has media placeholders behind those of its {len(digests)} pictures")
    return keys


def _find(ids: list[int], wanted: int, start: int) -> int:
    """Where an id stands first from `start` on; the end where it does not."""
    try:
        return ids.index(wanted, start)
    except ValueError:
        return len(ids)


def _require_budget(budget_bytes: int, what: str) -> None:
    if budget_bytes < 1:
        raise ValueError(
            f"the {what} cache needs a budget of at least 1 byte, got {budget_bytes}; give None to switch it off"
        )


def _common(some: list[Key], others: list[Key]) -> int:
    """How many keys two lists begin with alike."""
    end = min(len(some), len(others))
    for start in range(0, end, _BLOCK):
        if some[start : start + _BLOCK] != others[start : start + _BLOCK]:
            for at in range(start, min(start + _BLOCK, end)):
                if some[at] != others[at]:
                    return at
    return end


def _before_picture(keys: list[Key], count: int) -> int:
    """The same count, or less where it would end inside a picture."""
    while 0 < count < len(keys):
        last, following = keys[count - 1], keys[count]
        if isinstance(last, int) or isinstance(following, int) or last[0] != following[0] or last[1] >= following[1]:
            break
        count -= 1
    return max(count, 0)
