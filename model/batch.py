"""Replies in the making, together: in every step some prompts are read on and each reply gets its next token."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .errors import ModelError
from .kv_cache import LatentCache
from .prompt import PromptPicture
from .runtime import Span
from .sampling import choose, likeliest, penalties
from .writing import Alternatives, Writing

if TYPE_CHECKING:
    from .engine import Engine
    from .guide import Words

_NOT_FINITE = "the logits are not finite: the weights are damaged, or fp16 overflows (load with dtype float32)"


class Batch:
    """Requests that are answered now, each in a row of one latent cache; between steps they come and go.

    A step is at most one pass of the tower, one pass of the decoder over `chunk_tokens` of the prompts, and the next
    token of every reply whose prompt was read before: however long a prompt is, the others wait for one chunk of it.
    What goes wrong with one request ends that one (`Writing.error`), what goes wrong with a pass all that were in it.
    For one thread at a time.
    """

    def __init__(self, engine: Engine, cache: LatentCache, *, gather: bool = False) -> None:
        """To `gather` is for replies that are wanted whole: all begin when every prompt was read, in fewer passes."""
        self.cache = cache
        self._gather = gather
        self._engine = engine
        self._writings: dict[int, Writing] = {}  # by row, those that came first in front

    def __len__(self) -> int:
        return len(self._writings)

    def free_rows(self) -> list[int]:
        return [row for row in range(len(self.cache.lengths)) if row not in self._writings]

    def join(self, row: int, writing: Writing) -> None:
        """Begin with a request. The row must be free, and hold what was skipped of its prompt and nothing else."""
        if row in self._writings or self.cache.lengths[row] != writing.num_read:
            raise ValueError(f"row {row} is taken, or does not hold {writing.num_read} tokens")
        self._writings[row] = writing

    def leave(self, row: int) -> None:
        """Whatever became of it, its row is free; what it holds stays until another request joins there."""
        del self._writings[row]

    @torch.inference_mode()
    def step(self) -> None:
        """Afterwards look at each: what it has `released`, whether it `is_done`."""
        writing = {row: each for row, each in self._writings.items() if not each.is_done and not each.is_reading}
        self._see(is_awaited=bool(writing) and not self._gather)
        self._read()
        if not self._gather or not self._reading():
            self._write(writing)

    def _reading(self) -> dict[int, Writing]:
        return {row: each for row, each in self._writings.items() if each.is_reading and not each.is_done}

    def _see(self, *, is_awaited: bool) -> None:
        """Encode the next pictures: where somebody waits for a token, one or so many patches as a chunk has tokens."""
        settings = self._engine.settings
        room = min(settings.patches_per_pass, settings.chunk_tokens) if is_awaited else settings.patches_per_pass
        asked = list(self._next_pictures(room))
        together = list({id(each): each for each, _ in asked}.values())
        if not together:
            return

        def encode() -> None:
            features, encoded = self._engine.sight.features([picture for _, picture in asked])
            for (each, picture), features_TD in zip(asked, features, strict=True):
                each.pictures.popleft()
                each.features.append(features_TD)
                each.cached_images += picture.digest not in encoded

        took_s = self._attempt(together, encode)
        for each in together:
            each.vision_s += took_s

    def _next_pictures(self, room: int) -> Iterator[tuple[Writing, PromptPicture]]:
        merge_h, merge_w = self._engine.config.vision.merge_kernel_size
        filled = 0
        for each in self._reading().values():
            for picture in each.pictures:
                patches = 0 if self._engine.sight.knows(picture) else picture.num_tokens * merge_h * merge_w
                if filled and filled + patches > room:
                    return
                filled += patches
                yield each, picture

    def _read(self) -> None:
        """One pass over the next tokens of the prompts whose pictures were seen."""
        reading = {row: each for row, each in self._reading().items() if not each.pictures}
        left = [len(each.prompt.ids) - each.num_read for each in reading.values()]
        counts = shares(left, self._engine.settings.chunk_tokens)
        parts = [(row, each, count) for (row, each), count in zip(reading.items(), counts, strict=True) if count]
        if not parts:
            return
        together = [each for _, each, _ in parts]

        def read() -> None:
            logits_NV = self._read_parts(parts)
            done = [index for index, each in enumerate(together) if not each.is_reading]
            self._begin([together[index] for index in done], logits_NV[done])

        took_s = self._attempt(together, read)
        for each in together:
            each.prefill_s += took_s

    def _read_parts(self, parts: Sequence[tuple[int, Writing, int]]) -> Tensor:
        """The logits after so many more tokens of each of these prompts, [N, V]."""
        ids: list[int] = []
        positions: list[int] = []
        features: list[Tensor] = []
        for _, each, count in parts:
            prompt, part = each.prompt, slice(each.num_read, each.num_read + count)
            ids += prompt.ids[part]
            positions += prompt.positions[part]
            features += each.take_features(prompt.ids[part].count(prompt.media_id))
        engine = self._engine
        ids_BL = torch.tensor([ids], device=engine.device)
        x_BLD = engine.model.embed(ids_BL, torch.cat(features) if features else None)
        spans = [Span(row, count) for row, _, count in parts]
        logits_NV = engine.runtime.prefill(x_BLD[0], self.cache, spans, positions)
        for _, each, count in parts:
            each.num_read += count
        return logits_NV

    def _begin(self, writings: Sequence[Writing], logits_NV: Tensor) -> None:
        """The first tokens of replies; those that a grammar leaves no word are over."""
        for each in writings:
            _try(each, each.look_ahead)
        going = [index for index, each in enumerate(writings) if not each.is_done]
        if going:
            self._say([writings[index] for index in going], logits_NV[going])

    def _write(self, writing: dict[int, Writing]) -> None:
        """The next token of each, and all that a grammar forces behind it.

        Where decode steps are the faster way through a few tokens, those with several to read take a step each and
        are asked when they have read the last.
        """
        together = list(writing.values())
        if not together:
            return

        def write() -> None:
            rows = list(writing)
            counts = [len(each.unread) for each in together]
            if max(counts) <= self._engine.runtime.few_tokens:
                counts = [1] * len(counts)
            logits_NV = self._advance(
                rows,
                [[each.unread.popleft() for _ in range(count)] for each, count in zip(together, counts, strict=True)],
            )
            asked = [index for index, each in enumerate(together) if not each.unread]
            for index in asked:
                together[index].passes += 1
            if asked:
                self._say([together[index] for index in asked], logits_NV[asked])

        took_s = self._attempt(together, write)
        for each in together:
            each.decode_s += took_s

    def _advance(self, rows: Sequence[int], ids: Sequence[Sequence[int]]) -> Tensor:
        """The logits after these tokens, [N, V]; valid until the next call."""
        engine, cache = self._engine, self.cache
        x_LD = engine.model.embed(torch.tensor([[token for each in ids for token in each]], device=engine.device))[0]
        if max(map(len, ids)) == 1:
            return engine.runtime.step(x_LD, cache, rows)
        spans = [Span(row, len(each)) for row, each in zip(rows, ids, strict=True)]
        positions = [cache.next_position(span.row) + at for span in spans for at in range(span.count)]
        return engine.runtime.prefill(x_LD, cache, spans, positions)

    def _say(self, writings: Sequence[Writing], logits_NV: Tensor) -> None:
        """Let each of these choose its next token, but for those that end here, and say what is forced behind it.

        Those at the end that may still turn out to be the beginning of a stop text are released later, or never.
        """
        told = [each.forced.popleft() if each.forced else None for each in writings]
        masks = [_allowed(each) if token is None else None for each, token in zip(writings, told, strict=True)]
        logits_NV = self._speakable(logits_NV)
        chosen = choose(
            logits_NV,
            [each.sampling for each in writings],
            [each.generator for each in writings],
            penalty_NV=self._penalties(masks),
            given=told,
        )
        for each, logits_V, given, (token, logprob) in zip(writings, logits_NV, told, chosen, strict=True):
            if math.isnan(logprob):
                each.fail(each.error or ModelError(_NOT_FINITE))
            elif not each.is_done:
                _try(each, partial(self._take_up, each, logits_V, token, logprob, is_given=given is not None))

    def _take_up(self, writing: Writing, logits_V: Tensor, token: int, logprob: float, *, is_given: bool) -> None:
        if not is_given and token in writing.stops:
            writing.end("stop")
            return
        writing.say(token, logprob, self._alternatives(writing, token, logits_V), forced=is_given)
        while self._engine.settings.jump_forward and writing.forced and not writing.is_done:
            writing.say(writing.forced.popleft(), None, Alternatives(), forced=True)

    def _penalties(self, masks: Sequence[Words | None]) -> Tensor | None:
        """What keeps each from tokens its guide does not allow, [N, V]; None where all may choose any."""
        if all(mask is None for mask in masks):
            return None
        vocab_size = self._engine.tokenizer.vocab_size
        every = np.full(-(-vocab_size // 32), -1, np.int32)
        words_NW = np.stack([every if mask is None else mask for mask in masks])
        return penalties(words_NW, vocab_size, self._engine.device)

    def _alternatives(self, writing: Writing, token: int, logits_V: Tensor) -> Alternatives:
        """What else could have stood here: the numbers, where the token is one, the watched tokens, the likeliest."""
        found_C = self._engine.thousandths(logits_V) if token in self._engine.number_tokens else None
        numbers_C = None if found_C is None else found_C.cpu().numpy()
        count = writing.sampling.top_logprobs
        if not writing.watch_ids and not count:
            return Alternatives(numbers_C)
        total = logits_V.float().logsumexp(-1)
        watched = (logits_V[list(writing.watch_ids)].float() - total).exp().tolist() if writing.watch_ids else []
        return Alternatives(numbers_C, tuple(watched), likeliest(logits_V, total, count) if count else ())

    def _speakable(self, logits_NV: Tensor) -> Tensor:
        """Logits over the tokens a reply may hold: the vocabulary's, no picture placeholder."""
        tokenizer = self._engine.tokenizer
        logits_NV = logits_NV[:, : tokenizer.vocab_size].clone()
        logits_NV[:, tokenizer.media_pad] = float("-inf")
        return logits_NV

    def _attempt(self, together: Sequence[Writing], work: Callable[[], None]) -> float:
        """Do what concerns all of these; where it fails they end by it. The seconds it took."""
        started_s = self._now_s()
        try:
            work()
        except Exception as error:  # of any kind: it is handed to those whose work this was, and others go on
            for each in together:
                each.fail(each.error or error)
        return self._now_s() - started_s

    def _now_s(self) -> float:
        if self._engine.device.type == "cuda":
            torch.cuda.synchronize(self._engine.device)
        return time.perf_counter()


def shares(left: Sequence[int], room: int) -> list[int]:
    """How many of each one's tokens are read in a pass with room for so many.

    Half of the room is for the first, who has waited longest; the rest goes to those with the least left, so that a
    short prompt is not kept waiting by a long one, and a long one not for ever by short ones.
    """
    if not left:
        return []
    counts = [0] * len(left)
    counts[0] = min(left[0], -(-room // 2))
    room -= counts[0]
    for index in sorted(range(len(left)), key=lambda index: left[index] - counts[index]):
        more = min(left[index] - counts[index], room)
        counts[index] += more
        room -= more
    return counts


def _allowed(writing: Writing) -> Words | None:
    """What may come next; where that cannot be said the reply ends."""
    try:
        return None if writing.guide is None else writing.guide.allowed()
    except ModelError as error:
        writing.fail(error)
        return None


def _try(writing: Writing, work: Callable[[], None]) -> None:
    """Do what concerns one reply alone; where its grammar fails it ends by it."""
    try:
        work()
    except ModelError as error:
        writing.fail(error)
