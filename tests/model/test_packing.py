"""Packing: what is kept of a large screen stands where it stood, and only what is kept is asked about."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from moonhand.model import KimiVLConfig, Tokenizer
from moonhand.model.kimi_vl import KimiVL
from moonhand.model.losses import spell
from moonhand.model.packing import IGNORE, Batch, LabelledScreen, Query, Region, bare, pack

NUMBERS = [f"{n:03d}".encode() for n in range(1000)]
TOKENS = [*(bytes([byte]) for byte in range(256)), *NUMBERS, b" Save"]


@pytest.fixture(scope="module")
def numbers() -> Tokenizer:
    """With a token for each three-digit number, as nano's."""
    return Tokenizer(TOKENS)


@pytest.fixture(scope="module")
def config(tiny_config: KimiVLConfig, numbers: Tokenizer) -> KimiVLConfig:
    obj = tiny_config.to_json()
    obj["media_placeholder_token_id"] = numbers.media_pad
    obj["text_config"] |= {"vocab_size": numbers.vocab_size, "bos_token_id": numbers.bos, "eos_token_id": numbers.eos,
                           "pad_token_id": numbers.pad}  # fmt: skip
    return KimiVLConfig.from_json(obj)


def a_screen(config: KimiVLConfig, queries: tuple[Query, ...], rows: int = 4, columns: int = 6) -> LabelledScreen:
    """Plain but for two image tokens: the second of the first row and the last of the last."""
    token_px = 2 * config.vision.patch_size
    pixels = np.full((rows * token_px, columns * token_px, 3), 200, np.uint8)
    pixels[3:9, token_px + 3 : token_px + 9] = 0
    pixels[-9:-3, -9:-3] = 0
    first = (token_px + 1.0, 1.0, 2 * token_px - 1.0, token_px - 1.0)
    last = (pixels.shape[1] - token_px + 1.0, pixels.shape[0] - token_px + 1.0, pixels.shape[1] - 1.0,
            pixels.shape[0] - 1.0)  # fmt: skip
    middles = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in (first, last)]
    return LabelledScreen(
        pixels_HW3=pixels,
        words=(("Save", first), ("Zürich:", last)),
        characters=(),
        regions=(Region(0, middles[0], (first,)), Region(1, middles[1], (last,))),
        queries=queries,
    )


def test_every_token_kept_is_the_whole_picture(config: KimiVLConfig, numbers: Tokenizer) -> None:
    torch.manual_seed(0)
    model = KimiVL(config).eval()
    batch = pack([a_screen(config, (Query("Save", 0),))], numbers, config)
    patches = (torch.from_numpy(batch.patches_BTMHW3).float() / 127.5 - 1).flatten(0, 2).permute(0, 3, 1, 2)
    places = torch.from_numpy(batch.places_BTM).flatten()
    in_order = patches[places.argsort()]
    with torch.inference_mode():
        whole_PD = model.vision_tower(in_order, batch.grids_hw)
        kept_PD = model.vision_tower(patches, batch.grids_hw, [places])
    torch.testing.assert_close(kept_PD, whole_PD[places], rtol=1e-5, atol=1e-5)  # fp32, another order of sums


def test_a_kept_patch_stands_where_it_stood(config: KimiVLConfig, numbers: Tokenizer) -> None:
    screen = a_screen(config, (Query("Save", 0),))
    whole, part = pack([screen], numbers, config), pack([screen], numbers, config, num_tokens=5)
    at = {tuple(places): index for index, places in enumerate(whole.places_BTM[0].tolist())}
    chosen = [at[tuple(places)] for places in part.places_BTM[0].tolist()]
    assert chosen == sorted(chosen)
    assert {1, 23} <= set(chosen)  # the two with something on them
    np.testing.assert_array_equal(part.patches_BTMHW3[0], whole.patches_BTMHW3[0][chosen])
    media = part.input_ids_BL[0] == numbers.media_pad
    first = int(np.flatnonzero(whole.input_ids_BL[0] == numbers.media_pad)[0])
    assert part.positions_BL[0][media].tolist() == [first + index for index in chosen]
    last_prefix = part.positions_BL[0][np.flatnonzero(media)[-1] + 1]
    assert last_prefix == first + 24  # what follows the picture stands behind all of it


def test_screens_of_several_sizes_share_a_batch_when_as_much_is_kept_of_each(
    config: KimiVLConfig, numbers: Tokenizer
) -> None:
    screens = [a_screen(config, (Query("Save", 0),), rows, 6) for rows in (3, 5)]
    with pytest.raises(ValueError, match="several sizes need num_tokens"):
        pack(screens, numbers, config)
    assert pack(screens, numbers, config, num_tokens=9).places_BTM.shape == (2, 9, 4)
    with pytest.raises(ValueError, match="3x6 image tokens cannot give 19"):
        pack(screens, numbers, config, num_tokens=19)


def test_what_is_not_kept_is_not_asked_for_and_counting_needs_the_whole(
    config: KimiVLConfig, numbers: Tokenizer
) -> None:
    queries = (Query("Save", 0), Query("Zürich", 1), Query("the second link", 1, counts=True), Query("Cancel", None))
    both = pack([a_screen(config, queries)], numbers, config, num_tokens=2)
    one = pack([a_screen(config, queries)], numbers, config, num_tokens=1)
    assert replies(both, numbers) == ["click(x=0.250, y=0.125)", "click(x=0.916, y=0.875)",
                                      "click(x=0.916, y=0.875)", "refuse()"]  # fmt: skip
    assert len(replies(one, numbers)) == 2
    assert replies(one, numbers)[-1] == "refuse()"


def test_a_screen_whose_questions_all_fell_away_keeps_its_picture(config: KimiVLConfig, numbers: Tokenizer) -> None:
    batch = pack([a_screen(config, (Query("the second link", 1, counts=True),))], numbers, config, num_tokens=1)
    assert (batch.input_ids_BL == numbers.media_pad).sum() == 1
    assert replies(batch, numbers) == []
    assert pack([a_screen(config, ())], numbers, config).input_ids_BL.shape[1] == 0


def test_words_of_a_question_point_at_where_they_stand(config: KimiVLConfig, numbers: Tokenizer) -> None:
    batch = pack([a_screen(config, (Query('open "Zürich" or Save', 1),))], numbers, config)
    row = batch.asks_BL[0]
    assert row[row > 0].tolist() == [2, 2, 1, 1, 1]  # two words, then the end of the question, x and y
    assert [np.flatnonzero(tokens).tolist() for tokens in batch.ask_tokens] == [[23], [1], [23], [23], [23]]
    read = numbers.decode(batch.input_ids_BL[0][: int(np.flatnonzero(row == 2)[0]) + 1].tolist())
    assert read.endswith('open "Zürich"')


def test_only_a_click_has_coordinates(config: KimiVLConfig, numbers: Tokenizer) -> None:
    batch = pack([a_screen(config, (Query("read 123", 0, "123 456"), Query("Save", 0)))], numbers, config)
    marked = batch.labels_BL[0][batch.coordinates_BL[0]]
    assert numbers.decode(marked.tolist()) == "250125"


def test_a_word_is_spelled_by_its_parts() -> None:
    table = spell(("ab", "ba", "AB", "日本"))
    assert torch.equal(table[0], table[2])
    assert not torch.equal(table[0], table[1])
    width = table.shape[1] // 10
    assert table[0, :width].sum() == 2  # as a whole the two are alike
    assert torch.equal(table[0, :width], table[1, :width])
    assert table[3].sum() == 0


def test_a_word_is_the_same_with_marks_around_it() -> None:
    assert bare('"Save:"') == bare("save") == "save"
    assert bare("5.10.0") == "5.10.0"


def replies(batch: Batch, tokenizer: Tokenizer) -> list[str]:
    found: list[str] = []
    for segment in range(1, int(batch.segments_BL.max()) + 1):
        labels = batch.labels_BL[0][batch.segments_BL[0] == segment]
        found.append(tokenizer.decode(labels[labels != IGNORE].tolist()))
    return found
