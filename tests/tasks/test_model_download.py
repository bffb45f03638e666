"""`moonhand model download` and `moonhand model list`, against a server that speaks the Hub's endpoints."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, REPO, Hub, serving
from moonhand.model import KimiVL, NotEnoughDisk, load_config, load_model, save_checkpoint
from moonhand.model.engine import checkpoint_folder
from moonhand.tasks.checkpoint_hub import PUBLISHED, HubFile, NoHub, missing_bytes, require_room, why_damaged
from moonhand.tasks.checkpoint_hub import Hub as Client
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.model_commands import model_app
from typer.testing import CliRunner, Result

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nano's vocabulary, and weights of one narrow layer that say nothing."""
    folder = tmp_path_factory.mktemp("checkpoint")
    nano = load_config(checkpoint_folder("nano"))
    text = replace(nano.text, hidden_size=32, num_hidden_layers=1, intermediate_size=32, n_routed_experts=2)
    vision = replace(nano.vision, hidden_size=40, num_hidden_layers=1, intermediate_size=32, init_pos_emb_height=4)
    save_checkpoint(KimiVL(replace(nano, text=text, vision=vision)), folder)
    shutil.copyfile(checkpoint_folder("nano") / "tiktoken.model", folder / "tiktoken.model")
    return folder


@pytest.fixture
def hub(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    """A repository with a checkpoint, a tokenizer_config.json and what nobody needs; caches of its own."""
    served = tmp_path / "served"
    shutil.copytree(checkpoint, served)
    (served / "tokenizer_config.json").write_text("{}")
    (served / "README.md").write_text("words")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serving(served) as state:
        monkeypatch.setenv("HF_ENDPOINT", state.endpoint)
        yield state


def _download(*arguments: str | Path) -> Result:
    return CliRunner().invoke(model_app, ["download", REPO, *map(str, arguments)])


def _answer(left: Result) -> dict[str, Any]:
    assert left.exit_code == 0, left.stderr
    return json.loads(left.stdout)


def test_a_repository_comes_with_what_is_needed_and_is_inspected(hub: Hub, tmp_path: Path) -> None:
    answer = _answer(_download("--to", tmp_path / "here", "--json"))
    folder = tmp_path / "here"
    assert answer["repo"] == REPO
    assert answer["revision"] == COMMIT
    assert answer["bytes_downloaded"] == answer["bytes"] == sum(each["bytes"] for each in answer["files"])
    assert answer["inspected"]["parameters"] > 1000
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert there == {path.name for path in hub.folder.iterdir()} - {"README.md"}
    assert all((folder / name).read_bytes() == (hub.folder / name).read_bytes() for name in there)
    assert load_model(folder).config == load_model(hub.folder).config


def test_people_see_the_size_and_the_free_disk_first(hub: Hub, tmp_path: Path) -> None:
    left = _download("--to", tmp_path / "here")
    assert left.stdout == ""
    first, *_, last = [line for line in left.stderr.splitlines() if line.strip()]
    assert first.startswith(f"{REPO} at {COMMIT[:12]}: 5 files, ")
    assert " GB free for " in first
    assert last.endswith(f"Use it: --model {tmp_path / 'here'}")


def test_a_second_call_asks_for_no_file_again(hub: Hub, tmp_path: Path) -> None:
    _answer(_download("--to", tmp_path / "here", "--json"))
    hub.asked.clear()
    assert _answer(_download("--to", tmp_path / "here", "--json"))["bytes_downloaded"] == 0
    assert hub.asked == []
    (tmp_path / "here" / ".download.json").unlink()  # then the files themselves are looked at
    assert _answer(_download("--to", tmp_path / "here", "--json"))["bytes_downloaded"] == 0
    assert hub.asked == []


@pytest.mark.parametrize("takes_ranges", [True, False])
def test_an_interrupted_file_goes_on_where_it_stopped(hub: Hub, tmp_path: Path, takes_ranges: bool) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    whole = (hub.folder / WEIGHTS).read_bytes()
    (folder / f"{WEIGHTS}.part").write_bytes(whole[:1000])
    hub.takes_ranges = takes_ranges
    answer = _answer(_download("--to", folder, "--json"))
    assert (WEIGHTS, 1000 if takes_ranges else 0) in hub.asked
    assert (folder / WEIGHTS).read_bytes() == whole
    assert answer["bytes"] - answer["bytes_downloaded"] == (1000 if takes_ranges else 0)
    assert not list(folder.glob("*.part"))


def test_ctrl_c_leaves_what_came_and_the_next_call_asks_for_the_rest(tmp_path: Path) -> None:
    with serving(checkpoint_folder("nano")) as hub:  # 47 MB: several pieces
        client = Client(hub.endpoint)
        found = client.look_up(REPO)
        weights = next(file for file in found.files if file.is_weights)

        def stop(count: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            client.fetch(found, weights, tmp_path, stop)
        came = found.size_bytes - missing_bytes(found, tmp_path)
        assert 0 < came < weights.size_bytes
        client.fetch(found, weights, tmp_path, lambda count: None)
        assert hub.asked == [(WEIGHTS, 0), (WEIGHTS, came)]
        assert why_damaged(tmp_path / WEIGHTS, weights) is None


def test_a_dropped_line_is_taken_up_again(hub: Hub, tmp_path: Path) -> None:
    hub.cut_after[WEIGHTS] = 500
    _answer(_download("--to", tmp_path / "here", "--json"))
    assert [name for name, _ in hub.asked].count(WEIGHTS) == 2


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"], ids=["sha256", "git hash"])
def test_another_hash_is_found_and_nothing_of_it_stays(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.damaged.add(name)
    left = _download("--to", tmp_path / "here", "--json")
    assert left.exit_code == 4
    said = json.loads(left.stdout)["error"]
    assert f"{name} of {REPO} has the sha" in said
    assert "it was deleted: give the same command again" in said
    assert not list((tmp_path / "here").glob(f"{name}*"))
    hub.damaged.clear()
    _answer(_download("--to", tmp_path / "here", "--json"))


def test_too_small_a_disk_is_refused_before_anything_comes(hub: Hub, tmp_path: Path) -> None:
    found = Client(hub.endpoint).look_up(REPO)
    huge = replace(found, files=(*found.files, HubFile("model-2.safetensors", 10**18, "0" * 64, None)))
    with pytest.raises(NotEnoughDisk, match=r"1000000000\.\d GB are still to come and the disk of .* name a folder on"):
        require_room(missing_bytes(huge, tmp_path), tmp_path)
    assert hub.asked == []


def test_what_cannot_be_had_is_told_apart(hub: Hub, tmp_path: Path) -> None:
    client = Client(hub.endpoint)
    with pytest.raises(BadRequest, match="shows no repository some/other"):
        client.look_up("some/other")
    with pytest.raises(BadRequest, match=r"has no revision 'v9': leave --revision out"):
        client.look_up(REPO, "v9")
    for refusal, error, said in (
        ((403, "GatedRepo"), NoHub, "is open only to those who accepted its terms"),
        ((401, ""), BadRequest, "a private one needs `hf auth login` or HF_TOKEN"),
        ((403, ""), NoHub, r"refuses this user \(status 403\)"),
        ((418, ""), NoHub, "answers with status 418: try later; the same command goes on where it stopped"),
    ):
        hub.refuses = refusal
        with pytest.raises(error, match=said):
            client.look_up(REPO)


def test_no_network_is_one_line_that_names_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    left = CliRunner().invoke(model_app, ["download", "instruct", "--to", str(tmp_path / "here")])
    assert left.exit_code == 3
    assert left.stderr.count("\n") == 1
    assert "cannot be reached" in left.stderr
    assert "give it as --model DIR" in left.stderr
    assert not (tmp_path / "here").exists()


def test_without_the_hub_s_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    left = CliRunner().invoke(model_app, ["download", "instruct", "--json"])
    assert left.exit_code == 3
    said = "checkpoints come through huggingface_hub: pip install 'moonhand[download]'"
    assert json.loads(left.stdout) == {"error": said}


def test_the_published_three_have_names(hub: Hub) -> None:
    assert set(PUBLISHED) == {"instruct", "thinking", "thinking-2506"}
    left = CliRunner().invoke(model_app, ["download", "large"])
    assert left.exit_code == 2
    assert "'large' is neither one of instruct, thinking, thinking-2506 nor a repository" in left.stderr
    left = CliRunner().invoke(model_app, ["download", "nano"])
    assert left.exit_code == 2
    assert "nano is in the package" in left.stderr


def test_another_architecture_is_refused_before_its_weights_come(hub: Hub, tmp_path: Path) -> None:
    (hub.folder / "config.json").write_text('{"model_type": "llama", "hidden_size": 4096}')
    left = _download("--to", tmp_path / "here")
    assert left.exit_code == 4
    assert "model_type" in left.stderr
    assert WEIGHTS not in [name for name, _ in hub.asked]


def test_a_folder_that_holds_something_else_stays_as_it_is(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "config.json").write_text("mine")
    left = _download("--to", folder)
    assert left.exit_code == 2
    assert "it is not what the Hub has; name another folder with --to" in left.stderr
    assert (folder / "config.json").read_text() == "mine"


def test_weights_that_are_not_the_config_s_are_found_in_the_end(hub: Hub, tmp_path: Path) -> None:
    config = json.loads((hub.folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] += 1
    (hub.folder / "config.json").write_text(json.dumps(config))
    left = _download("--to", tmp_path / "here")
    assert left.exit_code == 4
    assert "the weights and the config belong to different models" in left.stderr


def test_list_shows_nano_what_came_and_the_hub_s_own_cache(hub: Hub, tmp_path: Path) -> None:
    answer = _answer(_download("--json"))
    assert answer["folder"] == str(tmp_path / "cache" / "moonhand" / "models" / "some--tiny-vl")
    snapshot = tmp_path / "hf" / "hub" / "models--other--vl" / "snapshots" / "abc"
    shutil.copytree(hub.folder, snapshot)
    (snapshot / WEIGHTS).unlink()
    stray = tmp_path / "hf" / "hub" / "models--other--llama" / "snapshots" / "abc"
    stray.mkdir(parents=True)
    (stray / "config.json").write_text('{"model_type": "llama"}')
    left = CliRunner().invoke(model_app, ["list", "--json", str(hub.folder)])
    assert left.exit_code == 0, left.stderr
    found = {each["name"]: each for each in json.loads(left.stdout)["models"]}
    assert list(found) == ["nano", REPO, "other/vl", "served"]
    assert found["nano"]["kind"] == "bfloat16"
    assert found["nano"]["parameters"] == 23_444_824
    assert found[REPO]["problem"] is None
    assert found[REPO]["bytes"] >= answer["bytes"]
    assert "where are the weights?" in found["other/vl"]["problem"]
    assert found["served"]["source"] == "given"
    shown = CliRunner().invoke(model_app, ["list"]).stdout
    assert "23 M" in shown


def test_list_names_a_download_that_is_not_complete(hub: Hub, tmp_path: Path) -> None:
    folder = Path(_answer(_download("--json"))["folder"])
    (folder / WEIGHTS).rename(folder / f"{WEIGHTS}.part")
    found = json.loads(CliRunner().invoke(model_app, ["list", "--json"]).stdout)["models"][1]
    assert found["kind"] is None
    assert found["problem"] == f"not all of it came: `moonhand model download {REPO}` goes on"


def test_two_downloads_into_one_folder_do_not_meet(hub: Hub, tmp_path: Path) -> None:
    from filelock import FileLock

    folder = tmp_path / "here"
    folder.mkdir()
    with FileLock(folder / ".download.lock"):
        left = _download("--to", folder)
    assert left.exit_code == 2
    assert "another download writes into" in left.stderr


def test_a_file_of_the_wrong_size_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert why_damaged(tmp_path / "x", HubFile("x", 4, None, None)) == "has 3 bytes, not 4"
