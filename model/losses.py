"""What training minimises, the heads that help, and the start values.

Beside the language loss, heads that are dropped afterwards give every patch something to learn: its characters and the
word it is part of, the kind of control under an image token, where that control's point is, and, from a question,
which image tokens belong to the answer. A small tower does not begin to read without them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import KimiVLConfig
from .kimi_vl import KimiVL
from .packing import IGNORE, Batch
from .vision import merge_patches

POINT_FREQUENCIES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # cycles over the screen


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """How much each part counts."""

    language: float = 1.0
    characters: float = 0.5
    patch_words: float = 0.5
    token_words: float = 0.3
    kinds: float = 0.2
    points: float = 20.0
    asks: float = 1.0
    waves: float = 4.0
    freeze_tower: bool = False  # learn from what the tower already sees
    number_sigma: float = 4.0  # softness of a coordinate's target, in thousandths of the screen


class TrainingHeads(nn.Module):
    """What looks at the model's insides while it learns; none of it is saved with the weights."""

    def __init__(self, model: KimiVL, *, num_characters: int, num_words: int, num_kinds: int) -> None:
        super().__init__()
        vision, text = model.config.vision.hidden_size, model.config.text.hidden_size
        self.characters = nn.Linear(vision, 2 * num_characters)
        self.patch_words = nn.Linear(vision, num_words)
        self.token_words = nn.Linear(text, num_words)
        self.kinds = nn.Linear(text, num_kinds + 1)
        self.points = nn.Linear(text, 4 * len(POINT_FREQUENCIES))
        self.ask_query = nn.Linear(text, text, bias=False)
        self.ask_key = nn.Linear(text, text, bias=False)


@dataclass(frozen=True)
class Vocabulary:
    """Token ids with a meaning for training: the 1000 three-digit numbers, and each word class's token."""

    number_ids: tuple[int, ...]
    word_ids: tuple[int, ...]


def initialise(model: KimiVL, vocabulary: Vocabulary, seed: int) -> None:
    """Start values: small weights, zero outputs of each block, and smooth maps for places and numbers.

    The position table and the rows of the three-digit numbers begin as the same kind of waves over 0..1, so that
    'where' and 'what number' are nearly linear in each other. Everything is trained from there.
    """
    generator = torch.Generator().manual_seed(seed)
    zero = ("wo.weight", "fc1.weight", "o_proj.weight", "down_proj", "down_proj.weight")
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or name.endswith("pos_emb.weight"):
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            continue
        with torch.no_grad():
            fan_in = parameter[0].numel() if parameter.ndim != 3 else parameter.shape[-1]
            std = 0.1 if "embed_tokens" in name else fan_in**-0.5
            if name.endswith(zero):
                std *= 0.1
            parameter.normal_(0, std, generator=generator)
    with torch.no_grad():
        table = model.vision_tower.patch_embed.pos_emb.weight
        height, width, channels = table.shape
        y = _waves((torch.arange(height) + 0.5) / height)[:, None].expand(-1, width, -1)
        x = _waves((torch.arange(width) + 0.5) / width)[None].expand(height, -1, -1)
        waves = torch.cat((x, y), dim=-1)
        mix = torch.randn(waves.shape[-1], channels, generator=generator) * waves.shape[-1] ** -0.5
        table.copy_(0.3 * waves @ mix)
        numbers = list(vocabulary.number_ids)
        values = _waves((torch.arange(1000) + 0.5) / 1000)
        for rows, scale in (
            (model.language_model.model.embed_tokens.weight, 0.1),
            (model.language_model.lm_head.weight, model.config.text.hidden_size**-0.5),
        ):
            mix = torch.randn(values.shape[-1], rows.shape[1], generator=generator) * values.shape[-1] ** -0.5
            rows[numbers] = scale * (1.4 * values @ mix + 0.1 * rows[numbers] / rows[numbers].std())


def _waves(position: Tensor) -> Tensor:
    """cos and sin of a place in 0..1 at POINT_FREQUENCIES, [..., 14]."""
    angles = 2 * math.pi * position[..., None] * torch.tensor(POINT_FREQUENCIES, device=position.device)
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


@dataclass(frozen=True)
class Losses:
    total: Tensor
    parts: dict[str, float]


def compute_losses(
    model: KimiVL,
    heads: TrainingHeads,
    vocabulary: Vocabulary,
    batch: Batch,
    weights: LossWeights,
    device: torch.device,
) -> Losses:
    """One forward pass of everything. Parts are mean losses, and accuracies named `*_acc`."""

    def put(array: Any) -> Tensor:
        return torch.from_numpy(array).to(device, non_blocking=True)

    model_config = model.config
    patches_PCHW, grids = _patches(put(batch.pixels_BHW3), model_config)
    parts: dict[str, Tensor] = {}
    metrics: dict[str, float] = {}
    with torch.autocast(device.type, torch.bfloat16):
        with torch.set_grad_enabled(not weights.freeze_tower):
            tower_PD = model.vision_tower(patches_PCHW, grids)
        tokens_TD = model.multi_modal_projector(merge_patches(tower_PD, grids, model_config.vision.merge_kernel_size))
    characters = put(batch.patch_characters_BP2).flatten(0, 1)
    written = (characters != IGNORE).any(-1)
    character_logits = heads.characters(tower_PD[written].float()).unflatten(-1, (2, -1)).flatten(0, 1)
    wanted = characters[written].flatten()
    parts["characters"] = F.cross_entropy(character_logits, wanted, ignore_index=IGNORE)
    metrics["character_acc"] = float((character_logits.argmax(-1) == wanted)[wanted != IGNORE].float().mean())

    patch_words = put(batch.patch_words_BP).flatten()
    known = patch_words != IGNORE
    patch_logits = heads.patch_words(tower_PD[known].float())
    parts["patch_words"] = F.cross_entropy(patch_logits, patch_words[known])
    metrics["patch_word_acc"] = float((patch_logits.argmax(-1) == patch_words[known]).float().mean())

    normed_TD = F.rms_norm(tokens_TD.float(), (tokens_TD.shape[-1],))
    token_words = put(batch.token_words_BTC).flatten(0, 1)
    worded = token_words.sum(-1) > 0
    word_rows = model.language_model.model.embed_tokens.weight[list(vocabulary.word_ids)]
    word_logits = normed_TD[worded] @ word_rows.T + heads.token_words(normed_TD[worded])
    parts["token_words"] = -(token_words[worded] * word_logits.log_softmax(-1)).sum(-1).mean()
    parts["kinds"] = F.cross_entropy(heads.kinds(normed_TD), put(batch.token_kinds_BT).flatten())
    points = put(batch.token_points_BT2).flatten(0, 1)
    placed = ~points[:, 0].isnan()
    if placed.any():
        wanted = _waves(points[placed]).flatten(1)
        parts["points"] = F.mse_loss(heads.points(normed_TD[placed]), wanted)

    if batch.input_ids_BL.shape[1]:
        input_ids, labels = put(batch.input_ids_BL), put(batch.labels_BL)
        learned = labels != IGNORE
        with torch.autocast(device.type, torch.bfloat16):
            hidden_BLD = model.language_model.model(
                model.embed(input_ids, tokens_TD),
                positions_BL=put(batch.positions_BL),
                mask_LS=block_mask(put(batch.segments_BL)),
            )
            logits = model.language_model.lm_head(hidden_BLD[learned])
        parts["language"], parts["waves"] = _language_losses(
            logits.float(), labels[learned], vocabulary, weights.number_sigma, metrics
        )
        parts["asks"] = _ask_loss(
            heads,
            hidden_BLD.float(),
            is_media_BL=input_ids == model_config.media_placeholder_token_id,
            asking_BL=_asking(put(batch.ask_positions_BQ), labels, vocabulary),
            segments_BL=put(batch.segments_BL),
            ask_tokens_BQT=put(batch.ask_tokens_BQT),
            metrics=metrics,
        )
    total = torch.stack([getattr(weights, name) * loss for name, loss in parts.items()]).sum()
    return Losses(total, {name: float(loss.detach()) for name, loss in parts.items()} | metrics)


def _patches(pixels_BHW3: Tensor, config: KimiVLConfig) -> tuple[Tensor, list[tuple[int, int]]]:
    """Normalised patches [P, 3, p, p] of equal screens, and their grids."""
    p = config.vision.patch_size
    screens, height_px, width_px, _ = pixels_BHW3.shape
    grid = (height_px // p, width_px // p)
    cells = pixels_BHW3.view(screens, grid[0], p, grid[1], p, 3).permute(0, 1, 3, 5, 2, 4).reshape(-1, 3, p, p)
    mean, std = (
        torch.tensor(values, device=cells.device).view(3, 1, 1)
        for values in (config.image.image_mean, config.image.image_std)
    )
    return (cells.float() / 255 - mean) / std, [grid] * screens


def block_mask(segments_BL: Tensor) -> Tensor:
    """bool [B, 1, L, L]: causal, to the prefix and within one's own question; padding sees itself only."""
    length = segments_BL.shape[1]
    query, key = segments_BL[:, :, None], segments_BL[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=segments_BL.device).tril()
    allowed = ((key == 0) | (key == query)) & causal
    return (allowed | torch.eye(length, dtype=torch.bool, device=segments_BL.device))[:, None]


def _language_losses(
    logits_NV: Tensor, labels_N: Tensor, vocabulary: Vocabulary, sigma: float, metrics: dict[str, float]
) -> tuple[Tensor, Tensor]:
    """Cross entropy, and how far the coordinates' distributions are from their places.

    A coordinate's target is a bell over neighbouring numbers, since near is nearly right. The bell's slope ends after a
    few numbers; the second loss, between the waves expected under the distribution and those of the target, has one
    across the whole screen.
    """
    device = labels_N.device
    numbers = torch.tensor(vocabulary.number_ids, device=device)
    log_probs_NV = logits_NV.log_softmax(-1)
    is_number = torch.isin(labels_N, numbers)
    plain = F.nll_loss(log_probs_NV[~is_number], labels_N[~is_number], reduction="sum")
    order = torch.zeros(int(numbers.max()) + 1, dtype=torch.long, device=device)
    order[numbers] = torch.arange(1000, device=device)
    values = order[labels_N[is_number]]
    bells = torch.exp(-0.5 * ((torch.arange(1000, device=device) - values[:, None]) / sigma) ** 2)
    bells = bells / bells.sum(-1, keepdim=True)
    number_log_probs = log_probs_NV[is_number][:, numbers]
    soft = -(bells * number_log_probs).sum()
    waves = torch.zeros((), device=device)
    if values.numel():
        guess = number_log_probs.argmax(-1)
        metrics["near_acc"] = float(((guess - values).abs() <= 20).float().mean())
        metrics["number_err"] = float((guess - values).abs().float().mean())
        table = _waves((torch.arange(1000, device=device) + 0.5) / 1000)
        waves = F.mse_loss(number_log_probs.softmax(-1) @ table, table[values])
    # A coordinate carries more than a bracket: weigh both kinds evenly.
    return plain / max(1, int((~is_number).sum())) + soft / max(1, values.numel()), waves


def _asking(ask_positions_BQ: Tensor, labels_BL: Tensor, vocabulary: Vocabulary) -> Tensor:
    """bool [B, L]: where a question has just ended, and where a coordinate comes next."""
    numbers = torch.tensor(vocabulary.number_ids, device=labels_BL.device)
    asking_BL = torch.isin(labels_BL, numbers)
    screens, asks = (ask_positions_BQ >= 0).nonzero(as_tuple=True)
    asking_BL[screens, ask_positions_BQ[screens, asks]] = True
    return asking_BL


def _ask_loss(
    heads: TrainingHeads,
    hidden_BLD: Tensor,
    *,
    is_media_BL: Tensor,
    asking_BL: Tensor,
    segments_BL: Tensor,
    ask_tokens_BQT: Tensor,
    metrics: dict[str, float],
) -> Tensor:
    """From where a place is wanted to the image tokens of the answer."""
    screens, _, width = hidden_BLD.shape
    keys_BTD = heads.ask_key(hidden_BLD[is_media_BL].view(screens, -1, width))
    at_screen, at_token = asking_BL.nonzero(as_tuple=True)
    wanted = ask_tokens_BQT[at_screen, segments_BL[at_screen, at_token] - 1]
    has_answer = wanted.any(-1)
    wanted, at_screen, at_token = wanted[has_answer], at_screen[has_answer], at_token[has_answer]
    queries = heads.ask_query(hidden_BLD[at_screen, at_token])
    per_screen = torch.bincount(at_screen, minlength=screens).tolist()  # nonzero() lists screen by screen
    scores = torch.cat([asked @ keys_TD.T for asked, keys_TD in zip(queries.split(per_screen), keys_BTD, strict=True)])
    scores = scores * width**-0.5
    metrics["ask_acc"] = float(wanted.gather(1, scores.argmax(-1, keepdim=True)).float().mean())
    inside = torch.logsumexp(scores.masked_fill(~wanted, -math.inf), -1)
    return (torch.logsumexp(scores, -1) - inside).mean()
