"""A screen's rows: from its pixels to the first token, and, for a trained model, to the action."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import cycle

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...agent import locate
from ...envs import Frame
from ...envs.env import Pixels
from ...model import Engine, image_transform, load, preprocess
from ...model.engine import EngineConfig
from ...model.prompt import stack_patches
from .bench import Bench
from .ceilings import prefill_flops, vision_flops, wait
from .measure import Call, interleave
from .peer import PeerText, PeerVision
from .rows import Row, timed_row
from .subject import Subject

WIDTH_PX, HEIGHT_PX = 1280, 800
QUESTION_TOKENS = 64  # of text around the picture, for models without a vocabulary


def frame_rows(bench: Bench) -> list[Row]:
    """With a random model up to the first token, beside the peer; with a trained one up to the place it points at."""
    rows = [first_token_row(bench)]
    return [*rows, *action_rows(bench)] if bench.subject.is_trained else rows


def first_token_row(bench: Bench) -> Row:
    """Pixels of a screen to the logits of the first token of a reply. The peer is given the picture ready cut."""
    config = bench.subject.config
    kernel_h, kernel_w = config.vision.merge_kernel_size
    plain = replace(config.image, blank_levels=None)
    transform = image_transform(WIDTH_PX, HEIGHT_PX, plain)
    size = config.vision.patch_size
    grid_hw = (transform.padded_height_px // size, transform.padded_width_px // size)
    num_tokens = grid_hw[0] * grid_hw[1] // (kernel_h * kernel_w)
    ids_L = bench.ids(num_tokens + QUESTION_TOKENS)
    ids_L[8 : 8 + num_tokens] = config.media_placeholder_token_id
    pixels_HW3 = form_pixels(0)
    dtype, device = bench.subject.dtype, bench.subject.device
    ready_PCHW = stack_patches([preprocess(pixels_HW3, plain)], config).to(dtype=dtype, device=device)

    def ours() -> None:
        patches = preprocess(pixels_HW3, plain)
        pixels_PCHW = stack_patches([patches], config).to(dtype=dtype, device=device)
        bench.ours.read(ids_L, bench.our_vision.encode(pixels_PCHW, [patches.grid_hw]))
        wait(device)

    def theirs(peer: PeerText, tower: PeerVision) -> None:
        peer.read(ids_L, tower.encode(ready_PCHW, [grid_hw]))
        wait(device)

    others: dict[str, Call] = {}
    if bench.peer is not None and bench.peer_vision is not None:
        others = bench.ways(bench.peer, partial(theirs, bench.peer, bench.peer_vision), tokens=len(ids_L))
    paired, best = bench.race(ours, others)
    flops = vision_flops(config, [grid_hw]) + prefill_flops(config, len(ids_L))
    return timed_row(
        "frame",
        f"{WIDTH_PX}x{HEIGHT_PX} screen to first token ({grid_hw[0] * grid_hw[1]:,} patches, {len(ids_L):,} tokens)",
        "ms",
        paired,
        peer_name=best,
        limit=bench.computing(flops),
    )


def action_rows(bench: Bench) -> list[Row]:
    """A screen to the place of its button: one never seen, and the same one asked about again."""
    subject = bench.subject
    nothing_kept = EngineConfig(prefix_cache_bytes=None, feature_cache_bytes=None)
    fresh = engine_of(subject, nothing_kept)
    keeping = engine_of(subject, None)
    screens = [Frame(form_pixels(number)) for number in range(4)]
    turn = cycle(screens)

    def see() -> None:
        locate(fresh, next(turn), "click Sign up")

    def see_again() -> None:
        locate(keeping, screens[0], "click Sign up")

    effort = bench.effort
    new = interleave({"ours": see}, rounds=effort.rounds, budget_s=effort.budget_s)
    known = interleave({"ours": see_again}, rounds=effort.rounds, budget_s=effort.budget_s)
    work = f"{WIDTH_PX}x{HEIGHT_PX} screen to action"
    return [
        timed_row("frame", f"{work}, a new screen", "ms", new),
        timed_row("frame", f"{work}, the same screen again", "ms", known),
    ]


def engine_of(subject: Subject, settings: EngineConfig | None) -> Engine:
    """The very model that the other rows measure, its weights in as many bits."""
    return load(subject.name, device=subject.device, dtype=subject.dtype, quantize=subject.quantize, settings=settings)


def form_pixels(seed: int) -> Pixels:
    """A sign-up form as a browser might show it, uint8 [H, W, 3]; each seed names the fields otherwise."""
    picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=18)
    draw.rectangle((0, 0, WIDTH_PX, 56), (34, 52, 84))
    draw.text((24, 18), f"Example shop {seed}", "white", font)
    for row, name in enumerate(("Full name", "Email", "Password", "Street", "City", "Country")):
        top_px = 110 + 92 * row
        draw.text((360, top_px), name if row else f"{name} {seed}", (40, 40, 45), font)
        draw.rectangle((360, top_px + 26, 920, top_px + 64), "white", (150, 155, 165))
    draw.rounded_rectangle((360, 690, 520, 740), 8, (30, 110, 220))
    draw.text((440, 715), "Sign up", "white", font, anchor="mm")
    return np.asarray(picture, dtype=np.uint8)
