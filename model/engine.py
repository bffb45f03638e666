"""An engine: a loaded model that answers messages, token by token."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from .calibration import Calibration, load_calibration
from .chat import Message
from .config import KimiVLConfig, Quantization, load_config
from .errors import BadConfig, BadTokenizer, NoDevice
from .generation import Generation, Replies
from .guide import Grammars
from .image import ImageTransform, image_transform
from .kimi_vl import KimiVL
from .quantize import use_dequantizer
from .remote_address import is_remote
from .reuse import FeatureCache, PrefixCache
from .runtime import Step, TextRuntime
from .sampling import SamplingConfig
from .sight import Sight
from .tokenizer import Tokenizer
from .turns import Turns
from .weights import load_model, weight_files
from .writing import GeneratedToken

MAX_GRAPH_ROWS = 64  # of one captured decode step
# Up to so many tokens in a row are read one by one by a small model, whose passes are bound by the number of their
# operations. Measured on a CPU: a pass is faster from 12 to 16 tokens on at 12 and 108 million parameters, from 2 at
# 1.9 billion.
FEW_TOKENS, SMALL_PARAMETERS = 12, 200_000_000
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """What an engine may keep between requests, and how it runs. Budgets are in bytes; None switches a cache off."""

    prefix_cache_bytes: int | None = 1 << 30  # latents of earlier prompts: 31 kB a token at full size
    feature_cache_bytes: int | None = 256 << 20  # pictures' features: 4 MB a 1080p screenshot at full size
    chunk_tokens: int = 2048  # of a prompt in one pass of the decoder
    patches_per_pass: int = 32_768  # of several pictures in one pass of the tower; a larger picture goes alone
    jump_forward: bool = True  # read what a grammar forces together with the next choice, not token by token
    compiled: bool = True  # decode with compiled kernels where the machine can make them, else with torch alone

    def __post_init__(self) -> None:
        for name, budget in (
            ("prefix_cache_bytes", self.prefix_cache_bytes),
            ("feature_cache_bytes", self.feature_cache_bytes),
        ):
            if budget is not None and budget < 1:
                raise ValueError(f"{name} must be >= 1, got {budget}; give None to keep nothing")
        for name, size in (("chunk_tokens", self.chunk_tokens), ("patches_per_pass", self.patches_per_pass)):
            if size < 1:
                raise ValueError(f"{name} must be >= 1, got {size}")


class Engine:
    """A model, its vocabulary and its image processor on one device.

    The weights are taken as they are when the engine is made. Several threads may call `generate` and
    `generate_batch`: one is answered after the other. All else is for one thread at a time.
    """

    def __init__(
        self,
        model: KimiVL,
        tokenizer: Tokenizer,
        *,
        name: str,
        folder: Path | None = None,
        settings: EngineConfig | None = None,
    ) -> None:
        """`folder` is where the weights came from, for `manifest`, and where a calibration may lie beside them."""
        _require_match(model.config, tokenizer)
        settings = settings or EngineConfig()
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.config = model.config
        self.name = name
        self.folder = folder
        self.settings = settings
        self.calibration: Calibration | None = None if folder is None else load_calibration(folder)
        weight = model.language_model.model.embed_tokens.weight
        self.device, self.dtype = weight.device, weight.dtype
        step = decode_step(model) if settings.compiled else None
        few_tokens = FEW_TOKENS if _is_small(model) else None
        self.runtime = TextRuntime(model, step, chunk_tokens=settings.chunk_tokens, few_tokens=few_tokens)
        self.grammars = Grammars(tokenizer)
        self.prefixes = None if settings.prefix_cache_bytes is None else PrefixCache(settings.prefix_cache_bytes)
        features = None if settings.feature_cache_bytes is None else FeatureCache(settings.feature_cache_bytes)
        self.sight = Sight(model, features, patches_per_pass=settings.patches_per_pass)
        self.turns = Turns()  # whose turn it is to run the model

    def transform(self, width_px: int, height_px: int) -> ImageTransform:
        """How a screenshot of this size maps to what the model sees."""
        return image_transform(width_px, height_px, self.config.image)

    def stream(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Iterator[GeneratedToken]:
        """The reply's tokens as they are made. Raises BadImage and ContextTooLong at once, before any work."""
        replies = Replies(self, [messages], sampling or SamplingConfig())
        return (token for _, token in replies)

    def generate(self, messages: Sequence[Message], sampling: SamplingConfig | None = None) -> Generation:
        """The whole reply. Raises BadImage and ContextTooLong before any work."""
        return self.generate_batch([messages], sampling)[0]

    def generate_batch(
        self, requests: Sequence[Sequence[Message]], sampling: SamplingConfig | None = None
    ) -> list[Generation]:
        """The replies to several requests, made together: pictures of any sizes in one pass, one token each a step.

        Every request gets the same sampling and the same seed, so it is answered as it would be alone, but for what
        rounding another order of sums brings. Raises BadImage and ContextTooLong before any work.
        """
        with self.turns:
            replies = Replies(self, requests, sampling or SamplingConfig())
            for _ in replies:
                pass
            return [replies.generation(index) for index in range(len(requests))]

    def manifest(self) -> dict[str, Any]:
        """What a run must record to be repeated: versions, numbers, processor and weight hashes, as JSON."""
        return {
            "model": self.name,
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "quantization": self.config.quantization,
            "settings": asdict(self.settings),
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
    def short_numbers(self) -> dict[int, int]:
        """Tokens of one and two digits by what they are as decimals: "5" and "50" are 500, "05" is 50 thousandths."""
        texts = [f"{number:0{digits}d}" for digits in (1, 2) for number in range(10**digits)]
        ids = [(self.tokenizer.encode(text), text) for text in texts]
        return {each[0]: int(text.ljust(3, "0")) for each, text in ids if len(each) == 1}

    @cached_property
    def number_tokens(self) -> frozenset[int]:
        """The tokens of up to three digits; empty where those of three are not all there."""
        return frozenset() if self.number_ids is None else frozenset((*self.number_ids.tolist(), *self.short_numbers))

    def thousandths(self, logits_V: Tensor) -> Tensor | None:
        """By these logits, the probabilities of 0.000 to 0.999 behind "0.", among themselves, fp32 [1000]."""
        if self.number_ids is None:
            return None
        short_S = torch.tensor(list(self.short_numbers), dtype=torch.int64, device=self.device)
        places_S = torch.tensor(list(self.short_numbers.values()), dtype=torch.int64, device=self.device)
        probabilities = logits_V[torch.cat((self.number_ids, short_S))].float().softmax(-1)
        return probabilities[:1000].index_add(0, places_S, probabilities[1000:])

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
    quantize: str | None = None,
    settings: EngineConfig | None = None,
) -> Engine:
    """An engine from a checkpoint folder, or from `nano`, the small model in the package.

    `auto` takes a CUDA device if there is one, and bf16 wherever the hardware multiplies it, else fp32. `quantize`
    "int8" or "int4" holds the decoder's large matrices in so many bits; a folder that is quantised already needs no
    such word. Everything that can be refused is refused before a weight is read: NoDevice, BadConfig, BadTokenizer,
    BadCheckpoint, NotEnoughMemory.
    """
    folder = checkpoint_folder(path)
    chosen_device = device_for(device)
    chosen_dtype = _dtype(dtype, chosen_device)
    tokenizer = Tokenizer.load(folder)
    _require_match(load_config(folder), tokenizer)
    model = load_model(folder, device=chosen_device, dtype=chosen_dtype, quantize=_quantization(quantize))
    name = "nano" if path == "nano" else folder.resolve().name
    return Engine(model, tokenizer, name=name, folder=folder, settings=settings)


def checkpoint_folder(path: str | Path) -> Path:
    """The folder that a `--model` flag names: a checkpoint's, or the package's own for `nano`. BadConfig for none."""
    if path == "nano":
        return Path(str(resources.files("moonhand.model") / "nano"))
    if is_remote(path):
        raise BadConfig(
            f"{path} is a server's address, and no folder with weights: this needs a model that is loaded here"
        )
    if path == "":  # which is the current folder to the system
        raise BadConfig("no model is named: give 'nano', the folder of a checkpoint, or openai:URL#NAME")
    if not Path(path).is_dir():
        raise BadConfig(f"{path} is no folder: give 'nano', the folder of a checkpoint, or openai:URL#NAME")
    return Path(path)


def decode_step(model: KimiVL) -> Step | None:
    """The fastest decode step this model can have here; None: torch alone.

    Modules that somebody watches or changes through hooks (an adapter) are run as modules.
    """
    hooked = any(module._forward_hooks for module in model.modules())  # pyright: ignore[reportPrivateUsage] (no other way)
    weight = model.language_model.model.embed_tokens.weight
    if hooked or weight.dtype == torch.float16:
        return None
    if weight.device.type == "cuda":
        if find_spec("triton") is None:
            return None
        from .cuda_step import GraphStep

        return GraphStep(model, MAX_GRAPH_ROWS)
    if weight.device.type != "cpu":
        return None
    from .native import MAX_ACTIVE, NativeStep, Unavailable, dequantize_into, load_library

    library = load_library()
    if isinstance(library, Unavailable) or model.config.text.num_experts_per_tok > MAX_ACTIVE:
        return None
    use_dequantizer(model, partial(dequantize_into, library))
    return NativeStep(model, library)


def _is_small(model: KimiVL) -> bool:
    size = sum(each.numel() for each in model.language_model.parameters())
    return model.config.quantization is None and size < SMALL_PARAMETERS


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
        raise NoDevice(_no_cuda(chosen))
    return chosen


def _no_cuda(device: torch.device) -> str:
    """What to do where torch sees no such device: it was built without CUDA, or sees fewer."""
    if torch.version.cuda is None:
        return (
            f"device {device} is not there: torch {torch.__version__} is built without CUDA. Leave the device out "
            "(--device, device=), or install a torch built for CUDA (https://pytorch.org/get-started/locally)"
        )
    return (
        f"device {device} is not there: torch sees {torch.cuda.device_count()} CUDA devices. Leave the device out "
        "(--device, device=), or look with nvidia-smi for what the driver sees"
    )


def _dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    if dtype == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.bfloat16 if cpu_multiplies_bf16() else torch.float32
    chosen = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if chosen is None or chosen not in DTYPES.values():
        raise NoDevice(f"dtype {dtype!r} is not one of auto, {', '.join(DTYPES)}")
    return chosen


def _quantization(quantize: str | None) -> Quantization | None:
    kinds: tuple[Quantization, ...] = get_args(Quantization)
    for kind in kinds:
        if quantize == kind:
            return kind
    if quantize is not None:
        raise NoDevice(f"quantize {quantize!r} is not one of {', '.join(kinds)}")
    return None


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
