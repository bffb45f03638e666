from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from moonhand.model import BadCheckpoint, KimiVL, KimiVLConfig, load_config, load_model, load_weights, save_checkpoint
from moonhand.model.layout import checkpoint_layout, model_layout
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType] (PathLike)
from torch import Tensor

EXPERT = "language_model.model.layers.1.mlp.experts.3.up_proj.weight"
NORM = "language_model.model.norm.weight"


@pytest.fixture
def folder(tiny_model: KimiVL, tmp_path: Path) -> Path:
    save_checkpoint(tiny_model, tmp_path / "one")
    return tmp_path / "one"


@pytest.fixture
def sharded(tiny_model: KimiVL, tmp_path: Path) -> Path:
    save_checkpoint(tiny_model, tmp_path / "many", max_shard_bytes=60_000)
    return tmp_path / "many"


def _rewrite(folder: Path, change: Callable[[dict[str, Tensor]], None], file: str = "model.safetensors") -> None:
    tensors = load_file(folder / file)
    change(tensors)
    save_file(tensors, folder / file)


def _assert_same(one: KimiVL, other: KimiVL) -> None:
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], tensor, rtol=0, atol=0, msg=name)


def test_saving_and_loading_is_the_identity(tiny_model: KimiVL, folder: Path) -> None:
    loaded = load_model(folder)
    assert loaded.config == tiny_model.config
    _assert_same(tiny_model, loaded)
    assert not any(parameter.is_meta for parameter in loaded.parameters())


def test_saving_and_loading_in_shards_is_the_identity(tiny_model: KimiVL, sharded: Path) -> None:
    shards = sorted(path.name for path in sharded.glob("*.safetensors"))
    assert len(shards) > 3
    assert shards[0] == f"model-00001-of-{len(shards):05d}.safetensors"
    index = json.loads((sharded / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == model_layout(tiny_model).keys()
    assert index["metadata"]["total_size"] == sum(p.nbytes for p in tiny_model.parameters())
    _assert_same(tiny_model, load_model(sharded))


def test_the_file_holds_each_expert_apart_under_its_published_name(tiny_model: KimiVL, folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    stacked = tiny_model.state_dict()["language_model.model.layers.1.mlp.experts.gate_up_proj"]
    inner = tiny_model.config.text.moe_intermediate_size
    prefix = "language_model.model.layers.1.mlp.experts.3"
    torch.testing.assert_close(stored[f"{prefix}.gate_proj.weight"], stacked[3, :inner], rtol=0, atol=0)
    torch.testing.assert_close(stored[f"{prefix}.up_proj.weight"], stacked[3, inner:], rtol=0, atol=0)
    assert not any("gate_up_proj" in name or name.endswith("experts.down_proj") for name in stored)


def test_the_layout_covers_every_parameter_once(tiny_model: KimiVL) -> None:
    state = {name: torch.zeros_like(tensor) for name, tensor in tiny_model.state_dict().items()}
    for place in model_layout(tiny_model).values():
        place.of(state[place.parameter]).add_(1)
    assert all(bool((tensor == 1).all()) for tensor in state.values())


def test_only_routed_experts_are_renamed() -> None:
    shapes = {"a.mlp.shared_experts.gate_proj.weight": (4, 2), "a.mlp.experts.down_proj": (2, 3, 5)}
    assert list(checkpoint_layout(shapes)) == [
        "a.mlp.shared_experts.gate_proj.weight",
        "a.mlp.experts.0.down_proj.weight",
        "a.mlp.experts.1.down_proj.weight",
    ]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_weights_take_the_dtype_asked_for_but_the_selection_bias(folder: Path, dtype: torch.dtype) -> None:
    model = load_model(folder, dtype=dtype)
    for name, parameter in model.named_parameters():
        assert parameter.dtype == (torch.float32 if name.endswith("e_score_correction_bias") else dtype), name


def test_a_bf16_checkpoint_names_its_dtype_and_loads_as_it_is(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder, dtype=torch.bfloat16)
    save_checkpoint(model, tmp_path / "half")
    assert load_config(tmp_path / "half").torch_dtype == "bfloat16"
    _assert_same(model, load_model(tmp_path / "half"))


def test_a_16_bit_selection_bias_is_widened(folder: Path) -> None:
    name = "language_model.model.layers.1.mlp.gate.e_score_correction_bias"
    _rewrite(folder, lambda tensors: tensors.update({name: tensors[name].bfloat16()}))
    assert load_model(folder).state_dict()[name].dtype == torch.float32


def test_stored_rotary_tables_are_skipped(tiny_model: KimiVL, folder: Path) -> None:
    name = "language_model.model.layers.0.self_attn.rotary_emb.inv_freq"
    _rewrite(folder, lambda tensors: tensors.update({name: torch.ones(4, dtype=torch.float64)}))
    _assert_same(tiny_model, load_model(folder))


def test_loading_into_a_model_replaces_what_it_held(
    tiny_model: KimiVL, tiny_config: KimiVLConfig, folder: Path
) -> None:
    model = KimiVL(tiny_config)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    load_weights(model, folder, dtype=torch.float32)
    _assert_same(tiny_model, model)
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == trained


def test_every_wrong_tensor_is_listed_in_one_error(folder: Path) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors["lm_head.weight"] = torch.zeros(2)
        tensors["vision_tower.extra"] = torch.zeros(2)
        del tensors[EXPERT]
        del tensors["vision_tower.encoder.final_layernorm.bias"]
        tensors[NORM] = torch.zeros(5)
        tensors["language_model.lm_head.weight"] = tensors["language_model.lm_head.weight"].to(torch.int8)

    _rewrite(folder, spoil)
    with pytest.raises(BadCheckpoint) as caught:
        load_model(folder)
    message = str(caught.value)
    assert "2 unknown: lm_head.weight, vision_tower.extra" in message
    assert f"2 missing: {EXPERT}, vision_tower.encoder.final_layernorm.bias" in message
    assert f"1 of another shape: {NORM} [5] instead of [32]" in message
    assert "1 not bf16, fp16 or fp32: language_model.lm_head.weight (I8)" in message


def test_a_tensor_in_two_shards_is_listed(sharded: Path) -> None:
    last = sorted(path.name for path in sharded.glob("*.safetensors"))[-1]
    _rewrite(sharded, lambda tensors: tensors.update({EXPERT: torch.zeros(16, 32)}), last)
    with pytest.raises(BadCheckpoint, match=f"1 filled twice: {EXPERT}"):
        load_model(sharded)


def test_stacked_experts_of_the_wrong_expert_count_are_listed(
    folder: Path, with_text: Callable[..., KimiVLConfig]
) -> None:
    model = KimiVL(with_text(load_config(folder), n_routed_experts=9))
    with pytest.raises(BadCheckpoint, match=r"missing: .*experts\.8\.down_proj\.weight"):
        load_weights(model, folder, dtype=torch.float32)


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.999], ids=str)
def test_a_truncated_shard_is_named(sharded: Path, keep: float) -> None:
    victim = sorted(sharded.glob("*.safetensors"))[1]
    data = victim.read_bytes()
    victim.write_bytes(data[: int(keep if keep > 1 else keep * len(data))])
    with pytest.raises(BadCheckpoint, match=rf"{victim.name} .*corrupt or truncated"):
        load_model(sharded)


@pytest.mark.parametrize("header", [b"\xff" * 8, b"\x10" + bytes(7) + b'{"a": not json!}'], ids=["length", "json"])
def test_a_shard_with_a_damaged_header_is_named(folder: Path, header: bytes) -> None:
    victim = folder / "model.safetensors"
    victim.write_bytes(header + victim.read_bytes()[len(header) :])
    with pytest.raises(BadCheckpoint, match=r"model\.safetensors .*corrupt or truncated"):
        load_model(folder)


def test_a_missing_shard_is_named(sharded: Path) -> None:
    victim = sorted(sharded.glob("*.safetensors"))[2]
    victim.unlink()
    with pytest.raises(BadCheckpoint, match=rf"lacks 1 of \d+ shards: {victim.name}"):
        load_model(sharded)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "is no index of shards"),
        ("[]", "is no index of shards"),
        ("{}", "is no index of shards"),
        ('{"weight_map": {}}', "must map tensors to files"),
        ('{"weight_map": {"a": "../other/model.safetensors"}}', "files of its own folder"),
    ],
)
def test_a_bad_index_is_refused(sharded: Path, index: str, message: str) -> None:
    (sharded / "model.safetensors.index.json").write_text(index)
    with pytest.raises(BadCheckpoint, match=message):
        load_model(sharded)


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadCheckpoint, match="where are the weights"):
        load_model(folder)


def test_a_folder_with_two_sets_of_weights_is_refused(folder: Path, sharded: Path) -> None:
    (folder / "model.safetensors").rename(sharded / "model.safetensors")
    with pytest.raises(BadCheckpoint, match="remove the one that is stale"):
        load_model(sharded)


def test_saving_again_leaves_no_stale_shard(tiny_model: KimiVL, sharded: Path) -> None:
    save_checkpoint(tiny_model, sharded)
    assert sorted(path.name for path in sharded.iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    save_checkpoint(tiny_model, sharded, max_shard_bytes=100_000)
    _assert_same(tiny_model, load_model(sharded))


def test_a_shard_limit_below_one_byte_is_refused(tiny_model: KimiVL, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_shard_bytes must be >= 1"):
        save_checkpoint(tiny_model, tmp_path, max_shard_bytes=0)
