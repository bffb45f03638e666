"""Blank parts of a picture left out: what stays stands where it stood, in the tower and in the decoder."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from moonhand.model import Engine, KimiVL, KimiVLConfig, Message, Picture, SamplingConfig, Tokenizer
from moonhand.model.chat import render
from moonhand.model.config import ImageConfig
from moonhand.model.errors import BadConfig
from moonhand.model.image import levels_under_tokens, preprocess, token_places
from moonhand.model.kv_cache import LatentCache
from moonhand.model.prompt import count_image_tokens, prompt_positions, stack_patches

UNIT_PX = 28


def a_picture(rows: int, columns: int, busy: tuple[int, ...], colour: tuple[int, int, int] = (250, 90, 90)) -> Picture:
    """White, with a dot of a colour on these image tokens."""
    pixels = np.full((rows * UNIT_PX, columns * UNIT_PX, 3), 250, np.uint8)
    for token in busy:
        y_px, x_px = token // columns * UNIT_PX + 5, token % columns * UNIT_PX + 5
        pixels[y_px : y_px + 4, x_px : x_px + 4] = colour
    return Picture(pixels)


@pytest.fixture(scope="module")
def sparing(tiny_config: KimiVLConfig) -> KimiVLConfig:
    return replace(tiny_config, image=replace(tiny_config.image, blank_levels=8))


@pytest.fixture(scope="module")
def engines(tiny_config: KimiVLConfig, sparing: KimiVLConfig, tokenizer: Tokenizer) -> tuple[Engine, Engine]:
    """One with every token, one without the blank ones; the weights are the same."""
    torch.manual_seed(3)
    whole = KimiVL(tiny_config)
    part = KimiVL(sparing)
    part.load_state_dict(whole.state_dict())
    return Engine(whole, tokenizer, name="whole"), Engine(part, tokenizer, name="part")


def test_only_tokens_with_something_on_them_stay(sparing: KimiVLConfig) -> None:
    picture = a_picture(3, 4, (1, 6))
    patches = preprocess(picture.pixels_HW3, sparing.image)
    every = token_places(patches.grid_hw, (2, 2))
    assert patches.kept_TM is not None
    np.testing.assert_array_equal(patches.kept_TM, every[[1, 6]])
    whole = preprocess(picture.pixels_HW3, replace(sparing.image, blank_levels=None))
    np.testing.assert_array_equal(patches.pixels_PCHW, whole.pixels_PCHW[patches.kept_TM.flatten()])
    positions, total = patches.positions(sparing.image)
    assert (positions.tolist(), total) == ([1, 6], 12)
    assert count_image_tokens([picture], sparing) == [2]


def test_red_on_white_is_something(sparing: KimiVLConfig) -> None:
    red = a_picture(2, 2, (3,), (250, 0, 0)).pixels_HW3
    assert levels_under_tokens(red, (UNIT_PX, UNIT_PX)).tolist() == [0, 0, 0, 250]


def test_of_an_empty_picture_one_token_stays(sparing: KimiVLConfig) -> None:
    assert count_image_tokens([a_picture(3, 3, ())], sparing) == [1]


def test_a_picture_without_blanks_is_answered_alike(engines: tuple[Engine, Engine]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2 * UNIT_PX, 3 * UNIT_PX, 3), np.uint8)
    ask = [Message("user", (Picture(noise), "the user"))]
    whole, part = (engine.generate(ask, SamplingConfig(max_new_tokens=8)) for engine in engines)
    assert [token.id for token in whole.tokens] == [token.id for token in part.tokens]
    for one, other in zip(whole.tokens, part.tokens, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)  # fp32, another order of sums


def test_a_reply_is_that_of_the_plain_model_with_holes_in_its_positions(engines: tuple[Engine, Engine]) -> None:
    engine, pictures = engines[1], (a_picture(3, 4, (1, 6)), a_picture(2, 2, (0, 3)))
    ask = [Message("user", (pictures[0], "the", pictures[1], "user"))]
    generation = engine.generate(ask, SamplingConfig(max_new_tokens=6))
    assert generation.image_tokens == 4
    patches = [preprocess(picture.pixels_HW3, engine.config.image) for picture in pictures]
    run = engine.generate(ask, SamplingConfig(max_new_tokens=1))
    assert run.prompt_tokens == generation.prompt_tokens
    ids = prompt_ids(engine, ask)
    positions = prompt_positions(ids, patches, engine.config)
    media = [at for at, token in enumerate(ids) if token == engine.config.media_placeholder_token_id]
    first = positions[media[0] - 1] + 1
    assert [positions[at] for at in media[:2]] == [first + 1, first + 6]
    assert positions[media[1] + 1] == first + 12  # behind all of the picture
    pixels = stack_patches(patches, engine.config)
    kept = [torch.from_numpy(each.kept_TM) for each in patches if each.kept_TM is not None]
    with torch.inference_mode():
        features_TD = engine.model.encode_images(pixels, [each.grid_hw for each in patches], kept)
        for token in generation.tokens:
            x_BLD = engine.model.embed(torch.tensor([ids]), features_TD)
            logits_V = engine.model.decode(x_BLD, positions_BL=torch.tensor([positions]))[0, -1]
            logits_V[engine.tokenizer.media_pad] = -math.inf
            assert token.id == int(logits_V.argmax())
            ids.append(token.id)
            positions.append(positions[-1] + 1)


def prompt_ids(engine: Engine, messages: list[Message]) -> list[int]:
    pictures = [picture for message in messages for picture in message.pictures]
    return render(messages, engine.tokenizer, count_image_tokens(pictures, engine.config))


def test_a_cache_cut_short_goes_on_where_its_last_token_stood(tiny_config: KimiVLConfig) -> None:
    cache = LatentCache(tiny_config.text, 1, 10, torch.float32)
    cache.advance(0, [0, 1, 5, 9])
    assert cache.next_position(0) == 10
    cache.truncate(0, 3)
    assert cache.next_position(0) == 6
    cache.advance(0, [6])
    assert (cache.lengths, cache.next_position(0)) == ([4], 7)


def test_the_published_processor_file_keeps_its_fields(tiny_config: KimiVLConfig, sparing: KimiVLConfig) -> None:
    assert "blank_levels" not in tiny_config.preprocessor_json()
    again = KimiVLConfig.from_json(sparing.to_json(), sparing.preprocessor_json())
    assert again.image.blank_levels == 8
    with pytest.raises(BadConfig, match="blank_levels must be 0 to 254"):
        ImageConfig(blank_levels=255)
