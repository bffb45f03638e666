"""The bench's own honesty: contenders take turns, nothing is thrown away, and both sides compute the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from moonhand.model import BadCheckpoint, KimiVLConfig
from moonhand.model.presets import preset
from moonhand.model.quantized_checkpoint import quantize_checkpoint
from moonhand.tasks.cli import app
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.model_bench.bench import Bench, Effort, decodes
from moonhand.tasks.model_bench.ceilings import (
    Ceilings,
    bytes_per_step,
    cache_bytes_per_token,
    measure_ceilings,
    prefill_flops,
    vision_flops,
)
from moonhand.tasks.model_bench.footprint import Errand, run_errand
from moonhand.tasks.model_bench.frame_rows import engine_of
from moonhand.tasks.model_bench.growth import draw_growth
from moonhand.tasks.model_bench.measure import Call, Paired, Samples, interleave, ours_and_best, quantile, timed
from moonhand.tasks.model_bench.report import check_sections
from moonhand.tasks.model_bench.rows import Row, markdown, table_cells, timed_row
from moonhand.tasks.model_bench.subject import Request, Subject, build, in_format, random_model
from moonhand.tasks.model_bench.text_rows import batch_rows, check_rows, decode_row, format_rows, prefill_row
from moonhand.tasks.model_bench.vision_rows import (
    dense_mask_attention,
    encode_row,
    one_sdpa_an_image,
    tower_features,
    twin_rows,
)
from PIL import Image
from typer.testing import CliRunner

GRIDS = [(4, 6), (2, 8)]
QUICK = Effort(rounds=2, budget_s=0.1, steps=2)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tiny() -> KimiVLConfig:
    """The small preset with everything that costs time made narrow."""
    config = preset("small")
    text = replace(
        config.text,
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        moe_intermediate_size=16,
        n_routed_experts=8,
        num_experts_per_tok=3,
        kv_lora_rank=16,
        qk_nope_head_dim=8,
        qk_rope_head_dim=8,
        v_head_dim=8,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    vision = replace(config.vision, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
    return replace(config, text=text, vision=vision, media_placeholder_token_id=290)


@pytest.fixture(scope="module")
def subject(tiny: KimiVLConfig) -> Subject:
    model = random_model(tiny, dtype=torch.float32)
    return Subject(
        name="tiny",
        model=model,
        dtype=torch.float32,
        device=torch.device("cpu"),
        quantize=None,
        plain=dict(model.state_dict()),
    )


@pytest.fixture(scope="module")
def bench(subject: Subject) -> Bench:
    pytest.importorskip("transformers")
    return Bench(subject, Ceilings(read_bytes_s=1e10, flops_s=1e12), QUICK)


def named(name: str, calls: list[str], *seconds: float) -> Call:
    """A contender that notes that it was called, and says that it took the next of these times."""
    left = iter(seconds)

    def call() -> float:
        calls.append(name)
        return next(left)

    return call


def test_contenders_take_turns_and_every_sample_is_kept() -> None:
    calls: list[str] = []
    a, b = named("a", calls, 9, 1, 5, 3), named("b", calls, 9, 2, 4, 60)
    paired = interleave({"a": a, "b": b}, rounds=3, warmup=1)
    assert calls == ["a", "b"] * 4
    assert paired.samples["a"].seconds == (1, 5, 3)
    assert paired.samples["a"].warmup == (9,)
    assert paired.samples["b"].median_s == 4  # the outlier counts as a sample and moves no median
    assert paired.ratio("a", "b") == pytest.approx(4 / 3)
    low, high = paired.ratio_spread("a", "b")
    assert 0.8 <= low < high <= 20


def test_a_call_that_measures_nothing_itself_is_timed_from_start_to_end() -> None:
    now = iter([10.0, 12.5])
    assert timed(lambda: None, lambda: next(now)) == 2.5


def test_a_spent_budget_ends_it_but_not_before_three_rounds() -> None:
    calls: list[str] = []
    ticks = iter(range(1000))
    paired = interleave(
        {"a": named("a", calls, *[1.0] * 20)}, rounds=10, warmup=0, budget_s=4, clock=lambda: next(ticks)
    )
    assert 3 <= len(paired.samples["a"].seconds) < 10


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        interleave({})
    with pytest.raises(ValueError, match="rounds"):
        interleave({"a": lambda: 1.0}, rounds=0)


def test_the_fastest_of_the_peers_is_chosen_after_its_warm_up_and_what_was_tried_is_said() -> None:
    calls: list[str] = []
    slow_start = named("x", calls, 1.9, 0.5, *[0.5] * 3)
    steady, hopeless = named("y", calls, 1.0, 1.0), named("z", calls, 50.0)
    paired, best = ours_and_best(
        named("o", calls, *[0.25] * 4), {"x": slow_start, "y": steady, "z": hopeless}, rounds=3
    )
    assert best == "x"
    assert calls == ["x", "y", "z", "x", "y", "o", "o", "x", "o", "x", "o", "x"]
    assert paired.tried == {"x": 0.5, "y": 1.0, "z": 50.0}
    assert paired.ratio("ours", "peer") == 2


def test_without_a_peer_ours_is_measured_alone() -> None:
    paired, best = ours_and_best(lambda: 1.0, {}, rounds=2)
    assert best is None
    assert set(paired.samples) == {"ours"}


def test_quantiles_are_linear_between_neighbours() -> None:
    assert [quantile([4.0, 1.0, 3.0, 2.0], share) for share in (0, 0.5, 1)] == [1, 2.5, 4]
    assert Samples((5.0,)).p10_s == Samples((5.0,)).p90_s == 5


def test_a_row_turns_seconds_into_its_unit_and_the_ratio_says_how_many_times_faster() -> None:
    paired = Paired({"ours": Samples((0.5, 0.5)), "peer": Samples((2.0, 2.0))})
    rate = timed_row("s", "w", "tok/s", paired, per_call=10, limit=("reading", 0.25))
    time_ms = timed_row("s", "w", "ms", paired)
    assert (rate.ours, rate.peer, rate.ratio, rate.limit_share) == (20, 5, 4, 0.5)
    assert (time_ms.ours, time_ms.peer, time_ms.ratio) == (500, 2000, 4)
    assert rate.to_json()["samples"]["peer"]["seconds"] == [2.0, 2.0]
    assert "4x (4-4)" in markdown([rate])
    assert (
        table_cells([replace(rate, peer=None, ratio=None, ratio_spread=None)], "not installed")[0][2] == "not installed"
    )


@pytest.mark.slow
def test_both_sides_compute_the_same_logits(bench: Bench) -> None:
    rows = check_rows(bench)
    assert len(rows) == 2
    assert all(row.ours < 1e-5 for row in rows)  # fp32, relative


def test_both_sides_go_on_from_the_same_latents_and_rewind_to_them(bench: Bench) -> None:
    assert bench.peer is not None
    ids_KB = bench.ids(3, 4)
    logits: list[torch.Tensor] = []
    for side in (bench.ours, bench.peer):
        side.fill(bench.latents(4, 9))
        first = [side.step(ids_B) for ids_B in ids_KB]
        side.rewind()
        torch.testing.assert_close([side.step(ids_B) for ids_B in ids_KB], first, rtol=0, atol=0)
        logits.append(torch.stack(first))
    torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-4)  # fp32, logits of order 1


def test_both_towers_compute_the_same_features(bench: Bench) -> None:
    assert bench.peer_vision is not None
    pixels = bench.pixels(sum(height * width for height, width in GRIDS))
    ours, theirs = (side.encode(pixels, GRIDS) for side in (bench.our_vision, bench.peer_vision))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)  # fp32, features of order 1


@pytest.mark.parametrize("attention", [dense_mask_attention, one_sdpa_an_image])
def test_the_twins_of_packed_attention_make_the_same_tower(subject: Subject, attention: Any) -> None:
    tower = subject.model.vision_tower
    pixels = torch.rand(40, 3, 14, 14)
    with torch.inference_mode():
        expected = tower(pixels, GRIDS)
        torch.testing.assert_close(
            tower_features(tower, pixels, GRIDS, attention), expected, rtol=1e-4, atol=1e-4
        )  # fp32


def test_every_section_makes_rows_on_a_tiny_model(bench: Bench) -> None:
    rows = [
        decode_row(bench, 16),
        prefill_row(bench, 24),
        encode_row(bench, GRIDS, "two images"),
        *twin_rows(bench, GRIDS),
        *format_rows(bench, 16),
        *batch_rows(bench, 8),
    ]
    for row in rows:
        assert row.ours > 0
        assert row.peer is not None
        assert row.ratio is not None
        assert row.peer_name
        assert json.loads(json.dumps(row.to_json()))["samples"]["ours"]["samples"] >= 2
    assert {row.section for row in rows} == {"decode", "prefill", "vision", "formats", "batch"}


def test_a_step_reads_every_weight_but_the_table_and_the_experts_nobody_chose(subject: Subject) -> None:
    text = subject.config.text
    weights = dict(subject.model.language_model.state_dict())
    experts = sum(tensor.nbytes for name, tensor in weights.items() if ".experts." in name)
    table = weights["model.embed_tokens.weight"].nbytes
    everything = sum(tensor.nbytes for tensor in weights.values())
    share = text.num_experts_per_tok / text.n_routed_experts
    assert bytes_per_step(subject.model, 0) == int(everything - table - experts * (1 - share))
    assert cache_bytes_per_token(subject.model) == 2 * (16 + 8) * 4
    per_token = bytes_per_step(subject.model, 100) - bytes_per_step(subject.model, 0)
    assert per_token == 100 * cache_bytes_per_token(subject.model)
    assert bytes_per_step(in_format(subject, "int8").model, 0) < bytes_per_step(subject.model, 0) / 2


def test_the_work_of_a_prompt_and_a_picture_grows_faster_than_they_do(tiny: KimiVLConfig) -> None:
    assert prefill_flops(tiny, 2000) > 2 * prefill_flops(tiny, 1000)
    assert vision_flops(tiny, [(64, 64)]) > 4 * vision_flops(tiny, [(32, 32)])
    assert vision_flops(tiny, [(32, 32)] * 4) == pytest.approx(4 * vision_flops(tiny, [(32, 32)]))


def test_the_machines_limits_are_positive() -> None:
    found = measure_ceilings(torch.float32, torch.device("cpu"), read_bytes=1 << 22)
    assert min(found.read_bytes_s, found.flops_s) > 0


def test_decode_samples_leave_out_the_first_step(bench: Bench) -> None:
    seconds = decodes(bench.latents(1, 4), bench.ids(4, 1), bench.ours)()
    assert seconds is not None
    assert 0 < seconds < 1


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (Request(source="huge"), "no config 'huge'"),
        (Request(dtype="int3"), "dtype 'int3'"),
        (Request(quantize="int3"), "int3"),
    ],
)
def test_what_cannot_be_built_is_said_before_anything_is(request_: Request, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        build(request_)


def test_a_quantised_subject_is_quantised_in_every_row_and_alone_where_nobody_compares(middle_checkpoint: Path) -> None:
    request_ = Request(source=str(middle_checkpoint), dtype="float32", quantize="int8")
    assert build(request_).plain
    alone = build(request_, with_plain=False)
    assert alone.quantize == "int8"
    assert not alone.plain
    assert engine_of(alone, None).config.quantization == "int8"


@pytest.mark.slow
def test_a_config_is_meant_even_where_a_folder_bears_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not build(Request(source="small", quantize="int4"), with_plain=False).is_trained


def test_another_format_than_the_folder_s_is_refused(middle_checkpoint: Path, tmp_path: Path) -> None:
    quantize_checkpoint(middle_checkpoint, tmp_path / "small", "int4")
    with pytest.raises(BadCheckpoint, match="is quantised to int4 and cannot be loaded as int8"):
        build(Request(source=str(tmp_path / "small"), quantize="int8"))


def test_sections_run_in_one_order_and_unknown_ones_are_named() -> None:
    assert check_sections(["vision", "decode"]) == ("decode", "vision")
    with pytest.raises(BadRequest, match="dance"):
        check_sections(["decode", "dance"])


def test_growth_is_drawn_with_a_line_each(tmp_path: Path) -> None:
    rows = [
        Row(
            section=f"growth: a {work}", work=f"{n:,} tokens", unit=unit, ours=n / 3, peer=None if n > 1000 else n * 2.0
        )
        for work, unit in (("token after", "ms"), ("prompt of", "ms"), ("prompt of", "MiB"))
        for n in (128, 1024, 2048)
    ]
    assert [path.name for path in draw_growth(rows, tmp_path / "new")] == ["speed_time.png", "speed_memory.png"]
    with Image.open(tmp_path / "new" / "speed_time.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), np.int16)
    for colour in ((31, 119, 180), (214, 96, 20)):
        assert (np.abs(pixels - np.array(colour)).max(-1) < 40).sum() > 100
    assert (tmp_path / "new" / "speed_time.png").stat().st_size < 100_000


def run_command(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["model", "bench", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--config", "huge"),
        ("--config", "small", "--dtype", "int3"),
        ("--only", "dance"),
        ("nowhere",),
        (".", "--config", "small"),
        ("--quantize", "int3"),
    ],
)
def test_wrong_arguments_leave_with_2_and_one_line(arguments: tuple[str, ...]) -> None:
    left = run_command(*arguments)
    assert left.exit_code == 2
    assert left.stderr.startswith("error: ")
    assert left.stderr.count("\n") == 1
    assert not left.stdout


def test_a_folder_that_is_no_checkpoint_leaves_with_4(tmp_path: Path) -> None:
    assert run_command(tmp_path).exit_code == 4


def test_the_command_prints_a_table_for_people_and_one_line_for_programs(middle_checkpoint: Path) -> None:
    left = run_command(middle_checkpoint, "--only", "decode", "--dtype", "float32", "--no-peer", "--json")
    assert left.exit_code == 0, left.stderr
    result = json.loads(left.stdout)
    assert left.stdout.count("\n") == 1
    assert [row["work"] for row in result["rows"]] == ["decode at 512", "decode at 2,048"]
    assert result["dtype"] == "float32"
    assert result["machine"]["torch"] == torch.__version__
    assert "decode at 512" in left.stderr


@pytest.mark.slow
def test_memory_is_that_of_a_process_of_its_own() -> None:
    told = run_errand(Errand(request=Request(source="nano", dtype="float32"), side="ours", work="prompt", size=128))
    assert 0 < told["loaded_MiB"] <= told["peak_MiB"]
    with pytest.raises(BadRequest, match="left with 1"):
        run_errand(Errand(request=Request(source="huge"), side="ours", work="prompt", size=8))
