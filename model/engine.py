"""An engine: a loaded model that answers messages, token by token."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .calibration import Calibration, load_calibration
from .chat import Message, render, split_thinking
from .config import KimiVLConfig
from .errors import BadTokenizer, ContextTooLong, NoDevice
from .image import ImagePatches, ImageTransform, image_transform, preprocess
from .kimi_vl import KimiVL
from .kv_cache import LatentCache
from .prompt import count_image_tokens, count_left_out, kept_tokens, prompt_positions, stack_patches
from .sampling import SamplingConfig, choose
from .tokenizer import StreamDecoder, Tokenizer
from .weights import load_model, weight_files

FinishReason = Literal["stop", "length"]
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class GeneratedToken:
    """One token of a reply; `text` is what it completes (a character split over tokens appears with the last)."""

    id: int
    text: str
    logprob: float  # natural log, of the model's own distribution, whatever the sampling
    # Where the token is one of "000" to "999": the probabilities of these 1000 among themselves, [1000].
    numbers: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    watched: tuple[float, ...] = ()  # the probabilities here of the sampling's `watch_ids`


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A whole reply. `text` is all of it; `thinking` and `answer` are its parts; times are wall-clock seconds."""

    text: str
    thinking: str | None
    answer: str
    thought_finished: bool
    tokens: tuple[GeneratedToken, ...]  # without the stop token
    finish_reason: FinishReason
    prompt_tokens: int
    image_tokens: int  # of the prompt's
    vision_s: float
    prefill_s: float
    decode_s: float


class Engine:
    """A model, its vocabulary and its image processor on one device."""

    def __init__(self, model: KimiVL, tokenizer: Tokenizer, *, name: str, folder: Path | None = None) -> None:
        """`folder` is where the weights came from, for `manifest`, and where a calibration may lie beside them."""
        _require_match(model.config, tokenizer)
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.config = model.config
        self.name = name
        self.folder = folder
        self.calibration: Calibration | None = None if folder is None else load_calibration(folder)
        weight = model.language_model.lm_head.weight
        self.device, self.dtype = weight.device, weight.dtype

    def transform(self, width_px: int, height_px: int) -> ImageTransform:
        """How a screenshot of this size maps to what the model sees."""
        return image_transform(width_px, height_px, self.config.image)

    def stream(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Iterator[GeneratedToken]:
        """The reply's tokens as they are made. Raises ContextTooLong at once, before any work."""
        return iter(_Run(self, messages, sampling or SamplingConfig()))

    def generate(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Generation:
        """The whole reply. Raises ContextTooLong before any work."""
        run = _Run(self, messages, sampling or SamplingConfig())
        tokens = tuple(run)
        text = "".join(token.text for token in tokens)
        parts = split_thinking(text)
        return Generation(
            text=text,
            thinking=parts.thinking,
            answer=parts.answer,
            thought_finished=parts.finished,
            tokens=tokens,
            finish_reason=run.finish_reason,
            prompt_tokens=len(run.prompt_ids),
            image_tokens=run.image_tokens,
            vision_s=run.vision_s,
            prefill_s=run.prefill_s,
            decode_s=run.decode_s,
        )

    def manifest(self) -> dict[str, Any]:
        """What a run must record to be repeated: versions, numbers, processor and weight hashes, as JSON."""
        return {
            "model": self.name,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "image_processor": self.config.preprocessor_json(),
            "weights_sha256": self._weights_sha256,
            "versions": {
                "moonhand": metadata.version("moonhand"),
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }

    @cached_property
    def number_ids(self) -> Tensor | None:
        """The ids of "000" to "999", int64 [1000]; None where the vocabulary does not hold each as one token."""
        ids = [self.tokenizer.encode(f"{number:03d}") for number in range(1000)]
        if any(len(each) != 1 for each in ids):
            return None
        return torch.tensor([each[0] for each in ids], device=self.device)

    @cached_property
    def _weights_sha256(self) -> dict[str, str]:
        if self.folder is None:
            return {}
        return {path.name: _sha256(path) for path in weight_files(self.folder)}


def load(
    path: str | Path = "nano",
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
) -> Engine:
    """An engine from a checkpoint folder, or from `nano`, the small model in the package.

    `auto` takes a CUDA device if there is one, and bf16 wherever the hardware multiplies it, else fp32.
    """
    folder = Path(str(resources.files("moonhand.model") / "nano")) if path == "nano" else Path(path)
    chosen_device = device_for(device)
    chosen_dtype = _dtype(dtype, chosen_device)
    tokenizer = Tokenizer.load(folder)
    model = load_model(folder, device=chosen_device, dtype=chosen_dtype)
    return Engine(model, tokenizer, name="nano" if path == "nano" else folder.resolve().name, folder=folder)


class _Run:
    """One reply in the making: iterate once, then read how it ended and how long each part took."""

    finish_reason: FinishReason = "length"
    vision_s = 0.0
    prefill_s = 0.0
    decode_s = 0.0

    def __init__(self, engine: Engine, messages: Sequence[Message], sampling: SamplingConfig) -> None:
        self._engine = engine
        self._sampling = sampling
        self._pictures = [picture for message in messages for picture in message.pictures]
        self._patches: list[ImagePatches] | None = None
        if engine.config.image.blank_levels is None:
            counts = count_image_tokens(self._pictures, engine.config)
        else:  # only a look tells how many there are
            self._patches = self._prepare()
            counts = [patches.num_tokens(engine.config.image) for patches in self._patches]
        self.image_tokens = sum(counts)
        self.prompt_ids = render(messages, engine.tokenizer, counts)
        self._max_length = len(self.prompt_ids) + sampling.max_new_tokens
        limit = engine.config.text.max_position_embeddings
        if self._max_length + count_left_out(self._pictures, counts, engine.config) > limit:
            raise ContextTooLong(
                f"the prompt has {len(self.prompt_ids)} tokens ({self.image_tokens} of pictures) and the reply may "
                f"take {sampling.max_new_tokens}, together over the model's {limit}: send fewer pictures or less "
                "text, or lower max_new_tokens"
            )

    def __iter__(self) -> Iterator[GeneratedToken]:
        tokenizer, sampling = self._engine.tokenizer, self._sampling
        stops = sampling.stop_ids if sampling.stop_ids is not None else {tokenizer.im_end, tokenizer.eos}
        generator = torch.Generator().manual_seed(sampling.seed)
        decoder = StreamDecoder(tokenizer)
        logits_V, cache = self._prefill()
        for step in range(sampling.max_new_tokens):
            token, logprob = choose(logits_V, sampling, generator)
            if token in stops:
                self.finish_reason = "stop"
                return
            yield GeneratedToken(token, decoder.push(token), logprob, *self._alternatives(token, logits_V))
            if step + 1 < sampling.max_new_tokens:
                logits_V = self._next(token, cache)

    @torch.inference_mode()
    def _prefill(self) -> tuple[Tensor, LatentCache]:
        """Read the prompt: the logits after it, and the cache that holds it."""
        engine = self._engine
        started_s = self._now_s()
        patches = self._patches or self._prepare()
        features_TD = self._encode(patches) if patches else None
        seen_s = self._now_s()
        ids_BL = torch.tensor([self.prompt_ids], device=engine.device)
        positions_BL = torch.tensor([prompt_positions(self.prompt_ids, patches, engine.config)], device=engine.device)
        cache = LatentCache(engine.config.text, 1, self._max_length, engine.dtype, engine.device)
        x_BLD = engine.model.embed(ids_BL, features_TD)
        logits_BLV = engine.model.decode(x_BLD, cache, last_only=True, positions_BL=positions_BL)
        logits_V = self._speakable(logits_BLV)
        self.vision_s, self.prefill_s = seen_s - started_s, self._now_s() - seen_s
        return logits_V, cache

    def _alternatives(self, token: int, logits_V: Tensor) -> tuple[npt.NDArray[np.float32] | None, tuple[float, ...]]:
        """What else could have stood here: the numbers, where the token is one, and the watched tokens."""
        number_ids_C, watch_ids = self._engine.number_ids, self._sampling.watch_ids
        numbers_C = None
        if number_ids_C is not None and bool((number_ids_C == token).any()):
            numbers_C = logits_V[number_ids_C].float().softmax(-1).cpu().numpy()
        if not watch_ids:
            return numbers_C, ()
        watched = logits_V[list(watch_ids)].float() - logits_V.float().logsumexp(-1)
        return numbers_C, tuple(watched.exp().tolist())

    def _prepare(self) -> list[ImagePatches]:
        return [preprocess(picture.pixels_HW3, self._engine.config.image) for picture in self._pictures]

    def _encode(self, patches: Sequence[ImagePatches]) -> Tensor:
        """All pictures' features in one packed pass."""
        engine = self._engine
        pixels_PCHW = stack_patches(patches, engine.config).to(device=engine.device, dtype=engine.dtype)
        kept_TM = kept_tokens(patches, engine.device)
        return engine.model.encode_images(pixels_PCHW, [each.grid_hw for each in patches], kept_TM)

    @torch.inference_mode()
    def _next(self, token: int, cache: LatentCache) -> Tensor:
        """The logits after one more token."""
        started_s = self._now_s()
        model = self._engine.model
        ids_BL = torch.tensor([[token]], device=self._engine.device)
        logits_V = self._speakable(model.decode(model.embed(ids_BL), cache, last_only=True))
        self.decode_s += self._now_s() - started_s
        return logits_V

    def _speakable(self, logits_BLV: Tensor) -> Tensor:
        """The last position's logits over the tokens a reply may hold: the vocabulary's, no picture placeholder."""
        tokenizer = self._engine.tokenizer
        logits_V = logits_BLV[0, -1, : tokenizer.vocab_size].clone()
        logits_V[tokenizer.media_pad] = float("-inf")
        return logits_V

    def _now_s(self) -> float:
        if self._engine.device.type == "cuda":
            torch.cuda.synchronize(self._engine.device)
        return time.perf_counter()


def _require_match(config: KimiVLConfig, tokenizer: Tokenizer) -> None:
    if tokenizer.vocab_size > config.text.vocab_size:
        raise BadTokenizer(
            f"tiktoken.model makes {tokenizer.vocab_size} ids but config.json's vocab_size is {config.text.vocab_size}"
        )
    if tokenizer.media_pad != config.media_placeholder_token_id:
        raise BadTokenizer(
            f"<|media_pad|> is {tokenizer.media_pad} in the vocabulary but config.json's media_placeholder_token_id is "
            f"{config.media_placeholder_token_id}: these files belong to different models"
        )


def device_for(device: str | torch.device = "auto") -> torch.device:
    """Where to work: `auto` takes a CUDA device if there is one. NoDevice for one that is not here."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise NoDevice(f"device {device!r} is unknown: give auto, cpu, cuda or cuda:N") from error
    if chosen.type not in ("cpu", "cuda"):
        raise NoDevice(f"device {chosen} is not supported: give auto, cpu, cuda or cuda:N")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise NoDevice(f"device {chosen} is not there: torch sees {torch.cuda.device_count()} CUDA devices")
    return chosen


def _dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    if dtype == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.bfloat16 if cpu_multiplies_bf16() else torch.float32
    chosen = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if chosen is None or chosen not in DTYPES.values():
        raise NoDevice(f"dtype {dtype!r} is not one of auto, {', '.join(DTYPES)}")
    return chosen


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has bf16 matrix instructions; without them bf16 is far slower than fp32."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16"})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
