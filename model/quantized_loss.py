"""What quantising costs, in the model's own numbers: logits of a checkpoint and of its quantised copy, side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from .config import load_config
from .counts import inspect_model
from .kv_cache import LatentCache
from .layout import empty_model, model_layout
from .memory import require_memory
from .runtime import Span, TextRuntime
from .tokenizer import Tokenizer
from .weights import load_model

_WINDOW = 16  # tokens of a prompt
_PROMPTS = 48
_LARGE_BYTES = 2_000_000_000
_TEXT = """Open the settings page and switch on dark mode, then save. The Email field is empty: type anna@example.org,
press Tab, and choose Germany from the list of countries. A dialog asks whether to delete 3 files; the button Cancel is
at the lower right, next to OK. Where is the search box? It is in the middle of the tool bar, x=0.512, y=0.047. Scroll
down to the table of orders and click the row whose status is "shipped". The page says: Your session has expired, please
sign in again. Thought: the form was sent, so the task is finished. Action: finish with the answer 42. Two windows are
open; the calculator covers half of the editor, and its title bar can be dragged to the left edge of the screen."""


@dataclass(frozen=True, kw_only=True)
class LogitLoss:
    """How far the quantised model's logits lie from the original's, over `prompts` short prompts."""

    prompts: int
    mean_difference: float  # absolute, in standard deviations of the original's logits
    max_difference: float
    same_first_choice: float  # share of the prompts
    divergence_nats: float  # mean Kullback-Leibler divergence from the original's distribution

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def comparing_dtype(folder: Path) -> torch.dtype:
    """fp32 shows the weights' loss alone; a large model is compared in bf16, for the room."""
    return torch.float32 if inspect_model(folder).bytes <= _LARGE_BYTES else torch.bfloat16


def require_comparable(folder: Path, *, available_bytes: int | None = None) -> None:
    """BadTokenizer or NotEnoughMemory now, if the folder could not be compared on the CPU later."""
    Tokenizer.load(folder)
    config = load_config(folder)
    require_memory(
        model_layout(empty_model(config)),
        config,
        dtype=comparing_dtype(folder),
        device=torch.device("cpu"),
        quantization=config.quantization,
        available=available_bytes,
    )


def compare_folders(original: Path, quantised: Path) -> LogitLoss:
    """The loss of the second checkpoint against the first, loaded one after the other on the CPU."""
    dtype = comparing_dtype(original)
    ids = Tokenizer.load(original).encode(_TEXT)
    starts = range(0, max(1, len(ids) - _WINDOW + 1), max(1, (len(ids) - _WINDOW) // _PROMPTS))
    prompts = [ids[start : start + _WINDOW] for start in starts][:_PROMPTS]
    return compare_logits(_last_logits(original, prompts, dtype), _last_logits(quantised, prompts, dtype))


def compare_logits(original_NV: Tensor, quantised_NV: Tensor) -> LogitLoss:
    spread_N1 = original_NV.std(-1, keepdim=True)
    differences_NV = (quantised_NV - original_NV).abs() / spread_N1
    expected, found = original_NV.log_softmax(-1), quantised_NV.log_softmax(-1)
    return LogitLoss(
        prompts=len(original_NV),
        mean_difference=float(differences_NV.mean()),
        max_difference=float(differences_NV.max()),
        same_first_choice=float((original_NV.argmax(-1) == quantised_NV.argmax(-1)).float().mean()),
        divergence_nats=float((expected.exp() * (expected - found)).sum(-1).mean()),
    )


@torch.inference_mode()
def _last_logits(folder: Path, prompts: list[list[int]], dtype: torch.dtype) -> Tensor:
    """Logits [N, V] fp32 after each prompt."""
    model = load_model(folder, dtype=dtype).eval()
    longest = max(map(len, prompts))
    cache = LatentCache(model.config.text, len(prompts), longest, dtype)
    x_LD = model.embed(torch.tensor([[token for prompt in prompts for token in prompt]]))[0]
    spans = [Span(row, len(prompt)) for row, prompt in enumerate(prompts)]
    positions = [place for prompt in prompts for place in range(len(prompt))]
    return TextRuntime(model).prefill(x_LD, cache, spans, positions)
