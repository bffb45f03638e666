"""What training minimises, the heads that help, and the start values.

Beside the language loss, heads that are dropped afterwards give every patch something to learn: its characters and how
the word it is part of is spelled, the kind of control under an image token and where that control's point is. From a
question they point at the image tokens that belong to the answer, and from each of its words at where that word
stands. A small tower does not begin to read without them.
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

POINT_FREQUENCIES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # cycles over the screen


SPELLING_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,-_@:/&$%+'#()"
SPELLING_PARTS = (1, 2, 3, 4)  # a word as a whole, in halves, thirds and quarters


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """How much each part counts."""

    language: float = 1.0
    characters: float = 0.5
    spelling: float = 0.05
    kinds: float = 0.2
    points: float = 20.0
    asks: float = 1.0
    words: float = 0.5
    waves: float = 4.0
    number_sigma: float = 4.0  # softness of a coordinate's target, in thousandths of the screen


class TrainingHeads(nn.Module):
    """What looks at the model's insides while it learns; none of it is saved with the weights."""

    def __init__(self, model: KimiVL, *, num_characters: int, num_kinds: int) -> None:
        super().__init__()
        vision, text = model.config.vision.hidden_size, model.config.text.hidden_size
        self.characters = nn.Linear(vision, 2 * num_characters)
        self.spelling = nn.Linear(vision, len(SPELLING_CHARACTERS) * sum(SPELLING_PARTS))
        self.kinds = nn.Linear(text, num_kinds + 1)
        self.points = nn.Linear(text, 4 * len(POINT_FREQUENCIES))
        self.ask_query = nn.Linear(text, text, bias=False)
        self.ask_key = nn.Linear(text, text, bias=False)
        self.word_query = nn.Linear(text, text, bias=False)
        self.word_key = nn.Linear(text, text, bias=False)


@dataclass(frozen=True)
class Vocabulary:
    """Token ids with a meaning for training: the 1000 three-digit numbers."""

    number_ids: tuple[int, ...]


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

    patches_PCHW = _normalised(put(batch.patches_BTMHW3), model.config)
    kept = list(put(batch.places_BTM).flatten(1))
    parts: dict[str, Tensor] = {}
    metrics: dict[str, float] = {}
    with torch.autocast(device.type, torch.bfloat16):
        tower_PD = model.vision_tower(patches_PCHW, batch.grids_hw, kept)
        tokens_TD = model.multi_modal_projector(tower_PD.unflatten(0, (-1, batch.places_BTM.shape[2])))
    characters = put(batch.patch_characters_BTM2).flatten(0, 2)
    written = (characters != IGNORE).any(-1)
    if written.any():
        character_logits = heads.characters(tower_PD[written].float()).unflatten(-1, (2, -1)).flatten(0, 1)
        wanted = characters[written].flatten()
        parts["characters"] = F.cross_entropy(character_logits, wanted, ignore_index=IGNORE)
        metrics["character_acc"] = float((character_logits.argmax(-1) == wanted)[wanted != IGNORE].float().mean())

    spelling = put(batch.patch_spelling_BTM).flatten()
    spelled = spelling >= 0
    if spelled.any():
        wanted = spell(batch.spellings).to(device)[spelling[spelled]]
        spelling_logits = heads.spelling(tower_PD[spelled].float())
        parts["spelling"] = F.binary_cross_entropy_with_logits(spelling_logits, wanted, reduction="none").sum(-1).mean()
        parts["spelling"] = parts["spelling"] / len(SPELLING_PARTS)
        hits = ((spelling_logits > 0) & (wanted > 0)).sum()
        metrics["spelling_f1"] = float(2 * hits / ((spelling_logits > 0).sum() + wanted.sum()).clamp(min=1))

    normed_TD = F.rms_norm(tokens_TD.float(), (tokens_TD.shape[-1],))
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
            logits.float(),
            labels[learned],
            put(batch.coordinates_BL)[learned],
            vocabulary,
            weights.number_sigma,
            metrics,
        )
        is_media_BL = input_ids == model.config.media_placeholder_token_id
        keys_BTD = hidden_BLD.float()[is_media_BL].unflatten(0, (len(input_ids), -1))
        asks_BL, ask_tokens = put(batch.asks_BL), put(batch.ask_tokens)
        kinds = asks_BL[asks_BL > 0]
        for name, kind, query, key in (
            ("asks", 1, heads.ask_query, heads.ask_key),
            ("words", 2, heads.word_query, heads.word_key),
        ):
            if (kinds == kind).any():
                asking_BL = asks_BL == kind
                queries = query(hidden_BLD[asking_BL].float())
                per_screen = asking_BL.sum(-1).tolist()  # boolean indexing lists screen by screen
                parts[name], metrics[f"{name}_acc"] = _pointing_loss(
                    queries, key(keys_BTD), per_screen, ask_tokens[kinds == kind]
                )
    total = torch.stack([getattr(weights, name) * loss for name, loss in parts.items()]).sum()
    return Losses(total, {name: float(loss.detach()) for name, loss in parts.items()} | metrics)


def spell(words: tuple[str, ...]) -> Tensor:
    """[W, K] 0/1: which characters a word has in each of its parts.

    Almazan et al., "Word spotting and recognition with embedded attributes" (2014): a target that words never seen
    before share with those that were.
    """
    width = len(SPELLING_CHARACTERS)
    table = torch.zeros(len(words), width * sum(SPELLING_PARTS))
    for row, word in enumerate(words):
        for at, character in enumerate(word.lower()):
            index = SPELLING_CHARACTERS.find(character)
            if index < 0:
                continue
            first = 0
            for parts in SPELLING_PARTS:
                middle = (at + 0.5) / len(word)
                table[row, (first + int(middle * parts)) * width + index] = 1
                first += parts
    return table


def _normalised(patches_BTMHW3: Tensor, config: KimiVLConfig) -> Tensor:
    """Patches [P, 3, p, p] fp32 as the tower takes them."""
    mean, std = (
        torch.tensor(values, device=patches_BTMHW3.device).view(3, 1, 1)
        for values in (config.image.image_mean, config.image.image_std)
    )
    return (patches_BTMHW3.flatten(0, 2).permute(0, 3, 1, 2).float() / 255 - mean) / std


def block_mask(segments_BL: Tensor) -> Tensor:
    """bool [B, 1, L, L]: causal, to the prefix and within one's own question; padding sees itself only."""
    length = segments_BL.shape[1]
    query, key = segments_BL[:, :, None], segments_BL[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=segments_BL.device).tril()
    allowed = ((key == 0) | (key == query)) & causal
    return (allowed | torch.eye(length, dtype=torch.bool, device=segments_BL.device))[:, None]


def _language_losses(
    logits_NV: Tensor,
    labels_N: Tensor,
    is_coordinate_N: Tensor,
    vocabulary: Vocabulary,
    sigma: float,
    metrics: dict[str, float],
) -> tuple[Tensor, Tensor]:
    """Cross entropy, and how far the coordinates' distributions are from their places.

    A coordinate's target is a bell over neighbouring numbers, since near is nearly right. The bell's slope ends after a
    few numbers; the second loss, between the waves expected under the distribution and those of the target, has one
    across the whole screen.
    """
    device = labels_N.device
    numbers = torch.tensor(vocabulary.number_ids, device=device)
    log_probs_NV = logits_NV.log_softmax(-1)
    plain = F.nll_loss(log_probs_NV[~is_coordinate_N], labels_N[~is_coordinate_N], reduction="sum")
    order = torch.zeros(int(numbers.max()) + 1, dtype=torch.long, device=device)
    order[numbers] = torch.arange(1000, device=device)
    values = order[labels_N[is_coordinate_N]]
    bells = torch.exp(-0.5 * ((torch.arange(1000, device=device) - values[:, None]) / sigma) ** 2)
    bells = bells / bells.sum(-1, keepdim=True)
    number_log_probs = log_probs_NV[is_coordinate_N][:, numbers]
    soft = -(bells * number_log_probs).sum()
    waves = torch.zeros((), device=device)
    if values.numel():
        guess = number_log_probs.argmax(-1)
        metrics["near_acc"] = float(((guess - values).abs() <= 20).float().mean())
        metrics["number_err"] = float((guess - values).abs().float().mean())
        table = _waves((torch.arange(1000, device=device) + 0.5) / 1000)
        waves = F.mse_loss(number_log_probs.softmax(-1) @ table, table[values])
    # A coordinate carries more than a bracket: weigh both kinds evenly.
    return plain / max(1, int((~is_coordinate_N).sum())) + soft / max(1, values.numel()), waves


def _pointing_loss(
    queries_AD: Tensor, keys_BTD: Tensor, per_screen: list[int], wanted_AT: Tensor
) -> tuple[Tensor, float]:
    """From where a place is wanted to the image tokens that are it, and how often the best one is among them."""
    scores_AT = torch.cat(
        [asked @ keys_TD.T for asked, keys_TD in zip(queries_AD.split(per_screen), keys_BTD, strict=True)]
    )
    scores_AT = scores_AT * keys_BTD.shape[-1] ** -0.5
    accuracy = float(wanted_AT.gather(1, scores_AT.argmax(-1, keepdim=True)).float().mean())
    inside = torch.logsumexp(scores_AT.masked_fill(~wanted_AT, -math.inf), -1)
    return (torch.logsumexp(scores_AT, -1) - inside).mean(), accuracy
