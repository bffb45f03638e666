from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from moonhand.model import BadCheckpoint, KimiVLConfig, Tokenizer, load_config, load_model
from moonhand.model.counts import count_model
from moonhand.model.errors import NotEnoughDisk
from moonhand.model.kv_cache import LatentCache
from moonhand.model.presets import PRESETS, preset
from moonhand.model.random_checkpoint import write_random_checkpoint
from moonhand.model.runtime import Span, TextRuntime

INSTRUCT = Path(__file__).parents[1] / "golden" / "kimi_vl_instruct"


def test_the_instruct_preset_is_the_published_config() -> None:
    assert preset("instruct") == load_config(INSTRUCT)


@pytest.mark.parametrize(("name", "millions"), [("small", 108), ("kimi3", 1920)])
def test_the_smaller_presets_have_the_sizes_that_are_measured(name: str, millions: int) -> None:
    counts = count_model(PRESETS[name])
    text = counts.parameters - counts.vision_parameters - counts.projector_parameters
    assert round(text / 1e6) == pytest.approx(millions, rel=0.01)
    assert KimiVLConfig.from_json(PRESETS[name].to_json()) == PRESETS[name]


def test_another_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="no preset 'huge': give one of instruct, kimi3, small"):
        preset("huge")


@pytest.mark.parametrize("quantize", [None, "int8", "int4"])
@torch.inference_mode()
def test_a_random_checkpoint_loads_and_makes_finite_logits(
    tiny_config: KimiVLConfig, tmp_path: Path, quantize: str | None
) -> None:
    write_random_checkpoint(tiny_config, tmp_path / "made", dtype=torch.float32)
    model = load_model(tmp_path / "made", quantize=quantize).eval()  # pyright: ignore[reportArgumentType]
    ids = Tokenizer.load(tmp_path / "made").encode("a few words")
    cache = LatentCache(model.config.text, 1, len(ids) + 1, torch.float32)
    runtime = TextRuntime(model)
    logits = runtime.prefill(model.embed(torch.tensor([ids]))[0], cache, [Span(0, len(ids))], range(len(ids)))
    after = runtime.step(model.embed(logits.argmax(-1)[None])[0], cache, [0])
    for each in (logits, after):
        assert bool(each.isfinite().all())
        assert 0.3 < float(each.std()) < 3


def test_the_same_seed_writes_the_same_bytes(tiny_config: KimiVLConfig, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_random_checkpoint(tiny_config, tmp_path / name, seed=seed)
    one, again, other = ((tmp_path / n / "model.safetensors").read_bytes() for n in ("one", "again", "other"))
    assert one == again
    assert one != other
    assert load_config(tmp_path / "one") == replace(tiny_config, torch_dtype="bfloat16")


def test_the_vocabulary_has_the_published_size_and_digits(tmp_path: Path, tiny_config: KimiVLConfig) -> None:
    text = replace(tiny_config.text, vocab_size=163840)
    config = replace(tiny_config, text=text, media_placeholder_token_id=163605)
    write_random_checkpoint(config, tmp_path / "made")
    tokenizer = Tokenizer.load(tmp_path / "made")
    assert (tokenizer.vocab_size, tokenizer.media_pad) == (163840, 163605)
    assert all(len(tokenizer.encode(f"{number:03d}")) == 1 for number in range(1000))
    assert tokenizer.decode(tokenizer.encode("Click the third row, x=0.512.")) == "Click the third row, x=0.512."


def test_what_cannot_be_written_is_refused(tiny_config: KimiVLConfig, tmp_path: Path) -> None:
    with pytest.raises(NotEnoughDisk, match="make room"):
        write_random_checkpoint(tiny_config, tmp_path / "made", free_bytes=10)
    assert not (tmp_path / "made").exists()
    with pytest.raises(ValueError, match="no room for 256 bytes"):
        write_random_checkpoint(replace(tiny_config, media_placeholder_token_id=100), tmp_path / "made")
    with pytest.raises(ValueError, match="quantise the folder afterwards"):
        write_random_checkpoint(replace(tiny_config, quantization="int8"), tmp_path / "made")
    write_random_checkpoint(tiny_config, tmp_path / "made")
    with pytest.raises(BadCheckpoint, match="already holds"):
        write_random_checkpoint(tiny_config, tmp_path / "made")
