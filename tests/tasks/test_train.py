"""`moonhand train`: recorded runs become lessons, lessons become a checkpoint that answers them."""

from __future__ import annotations

import filecmp
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from moonhand.agent import PROFILES, Step, Trajectory, TrajectoryError, locate, read_trajectory
from moonhand.agent.dialects import DIALECTS, whole_canvas
from moonhand.agent.prompts import agent_turns
from moonhand.agent.trajectory.frames import CROP_KEY
from moonhand.envs import Action, Click, Effect, Finish, Frame, Refuse, Size, TypeText
from moonhand.model import (
    ImageConfig,
    KimiVL,
    KimiVLConfig,
    Picture,
    TextConfig,
    Tokenizer,
    VisionConfig,
    load,
    load_model,
    save_checkpoint,
    write_tiktoken_model,
)
from moonhand.model.lora import load_adapter
from moonhand.tasks.cli import app
from moonhand.tasks.training.finetune import TrainRequest, carry_out, make_plan
from moonhand.tasks.training.interrupt import until_interrupted
from moonhand.tasks.training.recorded import read_lessons, sample_of
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

WIDTH_PX, HEIGHT_PX = 84, 56
PATIENCE_S = 300  # for a busy machine; seconds pass on a quiet one
POINTS = {"click Save": (21.0, 14.0), "the Name field": (63.0, 42.0)}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Generator[None]:
    """Tiny tensors gain nothing from threads, and threads that wait for each other lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def config_of(tokenizer: Tokenizer, **text: Any) -> KimiVLConfig:
    decoder: dict[str, Any] = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
        "moe_intermediate_size": 16, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1,
        "first_k_dense_replace": 1, "routed_scaling_factor": 1.5, "kv_lora_rank": 16, "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 8, "v_head_dim": 16, "rope_theta": 10000.0, "max_position_embeddings": 512,
    }  # fmt: skip
    return KimiVLConfig(
        text=TextConfig(vocab_size=tokenizer.vocab_size, **(decoder | text)),
        vision=VisionConfig(
            patch_size=14, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
            init_pos_emb_height=4, init_pos_emb_width=4,
        ),
        image=ImageConfig(in_token_limit=64, patch_size=14),
        media_placeholder_token_id=tokenizer.media_pad,
        torch_dtype="float32",
    )  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Kimi-VL with a vocabulary like nano's."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    folder.mkdir()
    words = [b"click", b"(x", b"=", b"0", b".", b", y", b"refuse", b"()"]
    numbers = [f"{n:03d}".encode() for n in range(1000)]
    write_tiktoken_model(
        list(dict.fromkeys([bytes([b]) for b in range(256)] + words + numbers)), folder / "tiktoken.model"
    )
    torch.manual_seed(0)
    save_checkpoint(KimiVL(config_of(Tokenizer.load(folder))).requires_grad_(False), folder)
    (folder / "calibration.json").write_text("{}")
    return folder


def frame(seed: int, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8))


def record(
    folder: Path,
    turns: Sequence[tuple[str | None, Sequence[Action]]],
    *,
    seed: int = 0,
    success: bool | None = True,
    shots: Sequence[Frame] = (),
) -> Path:
    """A run of these turns, each (what was looked for, the actions done)."""
    with Trajectory(folder, goal="save it") as trajectory:
        index = 0
        for turn, (instruction, actions) in enumerate(turns):
            seen = trajectory.store(shots[turn] if shots else frame(100 * seed + turn))
            for action in actions:
                step = Step(
                    index=index, turn=turn, before=seen, after=seen, action=action, instruction=instruction,
                    reply="as recorded" if action is actions[0] else None, effect=Effect(True, "", True),
                )  # fmt: skip
                trajectory.append(step)
                index += 1
        trajectory.finish("finished", success=success)
    return folder


def clicks(*instructions: str) -> list[tuple[str | None, Sequence[Action]]]:
    return [(each, (Click(x_px=POINTS[each][0], y_px=POINTS[each][1]),)) for each in instructions]


def moonhand(*arguments: str | Path | float) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def test_two_recorded_steps_are_learned_and_then_answered(checkpoint: Path, tmp_path: Path) -> None:
    run = record(tmp_path / "run", clicks(*POINTS))
    code, printed, told = moonhand(
        "train", run, "--model", checkpoint, "--out", tmp_path / "out", "--steps", 50, "--batch", 2, "--at-once", 2,
        "--lr", 0.003, "--workers", 0, "--json",
    )  # fmt: skip
    assert code == 0, told
    answer = json.loads(printed)
    assert (answer["status"], answer["step"], answer["method"]) == ("finished", 50, "all weights")
    assert answer["figures"]["reply_acc"] == 1.0
    shares = answer["expert_load"]["language_model.model.layers.1.mlp.gate"]
    assert (len(shares), sum(shares)) == (4, pytest.approx(1.0))
    assert {path.name for path in Path(answer["model"]).iterdir()} == {
        "config.json", "preprocessor_config.json", "model.safetensors", "tiktoken.model",
    }  # fmt: skip
    assert Path(answer["picture"]).is_file()
    engine = load(answer["model"], dtype="float32")
    for step in read_trajectory(run).steps:
        assert step.instruction is not None
        target = locate(engine, step.before.read(), step.instruction)
        assert (target.x_px, target.y_px) == pytest.approx(POINTS[step.instruction], abs=WIDTH_PX / 1000)


def test_an_adapter_is_written_beside_the_model_it_was_merged_into(checkpoint: Path, tmp_path: Path) -> None:
    record(tmp_path / "runs" / "a", clicks(*POINTS))
    request = TrainRequest(
        runs=(tmp_path / "runs",), out=tmp_path / "out", model=str(checkpoint), steps=5, batch=2, lora_rank=4, workers=0
    )
    outcome = carry_out(make_plan(request))
    assert outcome.model is not None
    assert outcome.adapter is not None
    base = load_model(checkpoint)
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        before = base(ids)
        load_adapter(base, outcome.adapter)
        attached, merged = base(ids), load_model(outcome.model)(ids)
    assert (attached - before).abs().max() > 1e-3
    torch.testing.assert_close(merged, attached, rtol=1e-4, atol=1e-4)  # fp32, another order of the same sums


def figures_of(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "step_s"} for row in rows]


@pytest.mark.parametrize("rank", [0, 4])
def test_an_interrupted_run_gives_the_whole_ones_losses_to_the_last_digit(
    checkpoint: Path, tmp_path: Path, rank: int
) -> None:
    for seed in range(3):
        record(tmp_path / "runs" / str(seed), clicks(*POINTS), seed=seed)

    def plan(out: str) -> Any:
        return make_plan(
            TrainRequest(
                runs=(tmp_path / "runs",), out=tmp_path / out, model=str(checkpoint), steps=6, batch=2, held_out=0.3,
                judge_every=2, lora_rank=rank, workers=0,
            )
        )  # fmt: skip

    whole = carry_out(plan("whole"))
    steps = iter(range(1, 100))
    first = carry_out(plan("cut"), stop=lambda: next(steps) == 3)
    assert (first.status, first.step, first.model) == ("stopped", 3, None)
    second = carry_out(plan("cut"))
    assert (second.status, second.step) == ("finished", 6)
    assert figures_of(tmp_path / "cut") == figures_of(tmp_path / "whole")
    assert [row["step"] for row in figures_of(tmp_path / "cut") if "held_loss" in row] == [2, 4, 6]
    assert whole.model is not None
    assert second.model is not None
    assert filecmp.cmp(second.model / "model.safetensors", whole.model / "model.safetensors", shallow=False)


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_goes_on(checkpoint: Path, tmp_path: Path) -> None:
    record(tmp_path / "run", clicks(*POINTS))
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "moonhand.tasks", "train", str(tmp_path / "run"), "--model", str(checkpoint),
        "--out", str(out), "--batch", "2", "--steps", "100000", "--workers", "1",
    ]  # fmt: skip
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    started = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)
    curve, deadline_s = out / "curve.jsonl", time.monotonic() + PATIENCE_S
    while not (curve.exists() and curve.read_text().count("\n") >= 2) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    _, told = started.communicate(timeout=PATIENCE_S)
    assert started.returncode == 130, told
    assert "the same command goes on" in told
    reached = torch.load(out / "checkpoint.pt", weights_only=True)["step"]
    assert reached == figures_of(out)[-1]["step"] >= 2
    code, printed, told = moonhand(*command[3:], "--steps", reached + 1, "--workers", 0, "--json")
    assert code == 0, told
    assert json.loads(printed)["step"] == reached + 1


def test_the_second_ctrl_c_insists() -> None:
    before = signal.getsignal(signal.SIGINT)
    with until_interrupted() as pressed:
        assert not pressed()
        os.kill(os.getpid(), signal.SIGINT)
        assert pressed()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_planning_model_is_taught_the_prompt_it_will_get_and_a_reply_that_reads_back(tmp_path: Path) -> None:
    typed = (Click(x_px=63.0, y_px=42.0), TypeText(text="Ada"))
    turns = [*clicks("click Save"), ("the Name field", typed), (None, (Finish(answer="done"),))]
    run = record(tmp_path / "run", turns)
    profile = PROFILES["opencua"]
    (lessons,) = read_lessons([run], profile).by_run
    steps = read_trajectory(run).steps
    assert len(lessons) == 3
    for lesson, first, (_, actions) in zip(lessons, (0, 1, 3), turns, strict=True):
        told = [(turn.role, len(turn.parts)) for turn in lesson.turns(profile)]
        asked = agent_turns(profile, steps[first].before.read(), "save it", steps[:first])
        assert told == [(turn.role, len(turn.parts)) for turn in asked]
        read = DIALECTS["kimi"].read(lesson.reply, whole_canvas(Size(WIDTH_PX, HEIGHT_PX)))
        assert [type(action) for action in read.actions] == [type(action) for action in actions]
    parsed = DIALECTS["kimi"].read(lessons[1].reply, whole_canvas(Size(WIDTH_PX, HEIGHT_PX)))
    assert parsed.instruction == "the Name field"
    assert isinstance(parsed.actions[0], Click)
    assert parsed.actions[0].x_px == pytest.approx(63.0, abs=0.1)
    assert parsed.actions[1] == TypeText(text="Ada")


def test_a_model_that_finds_is_taught_places_and_refusals_alone(tmp_path: Path) -> None:
    typed = (Click(x_px=63.0, y_px=42.0), TypeText(text="Ada"))
    turns = [("the Name field", typed), (None, (TypeText(text="x"),)), ("click Gone", (Refuse(reason="no"),))]
    lessons = read_lessons([record(tmp_path / "run", turns)], PROFILES["nano"])
    assert [(each.instruction, each.reply) for each in lessons.by_run[0]] == [
        ("the Name field", "click(x=0.750, y=0.750)"),
        ("click Gone", "refuse()"),
    ]
    assert lessons.left_out == {"turns with nothing to find": 1}


def test_the_replies_can_be_taught_as_they_were_recorded(tmp_path: Path) -> None:
    lessons = read_lessons([record(tmp_path / "run", clicks(*POINTS))], PROFILES["nano"], dialect="raw")
    assert [each.reply for each in lessons.by_run[0]] == ["as recorded"] * 2


def test_runs_that_missed_their_goal_teach_only_when_asked(tmp_path: Path) -> None:
    runs = [record(tmp_path / str(n), clicks(*POINTS), success=n == 0) for n in range(2)]
    assert len(read_lessons(runs, PROFILES["nano"])) == 2
    assert len(read_lessons(runs, PROFILES["nano"], with_failed=True)) == 4


def test_the_held_out_lessons_come_from_other_runs(tmp_path: Path) -> None:
    runs = [record(tmp_path / str(n), clicks(*POINTS), seed=n) for n in range(5)]
    lessons = read_lessons(runs, PROFILES["nano"])
    learned, held_out = lessons.split(0.4, seed=0)
    assert (len(learned), len(held_out)) == (6, 4)
    assert not {each.source for each in learned} & {each.source for each in held_out}
    assert lessons.split(0.4, seed=0) == (learned, held_out)
    alone = read_lessons(runs[:1], PROFILES["nano"]).split(0.4, seed=0)
    assert [len(part) for part in alone] == [2, 0]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("no run", "holds no recorded run"),
        ("no steps", "nothing to learn"),
        ("dialect", "taught as kimi or raw"),
        ("profile", "no prompt profile"),
        ("picture gone", "cannot be read as a picture"),
        ("picture torn", "cannot be read as a picture"),
        ("picture too long", "each side must stay below"),
        ("too much text", "512 positions"),
        ("too large", "GB are free"),
        ("batch", "whole multiple"),
        ("no checkpoint", "is no folder"),
    ],
)
def test_bad_input_is_one_clear_error_before_work_starts(
    checkpoint: Path, tmp_path: Path, wrong: str, problem: str
) -> None:
    run, flags, model = tmp_path / "run", list[str](), checkpoint
    match wrong:
        case "no run":
            run.mkdir()
        case "no steps":
            record(run, [])
        case "picture too long":
            record(run, clicks("click Save"), shots=[frame(0, 10, 14 * 520)])
        case "too much text":
            record(run, [("click " + "Save " * 300, (Click(x_px=1, y_px=1),))])
        case _:
            record(run, clicks("click Save"))
    picture = next((run / "frames").glob("*.png"), None) if (run / "frames").exists() else None
    match wrong:
        case "dialect" | "profile":
            flags = [f"--{wrong}", "latin"]
        case "picture gone" if picture:
            picture.unlink()
        case "picture torn" if picture:
            picture.write_bytes(picture.read_bytes()[:-200])
        case "batch":
            flags = ["--batch", "8", "--at-once", "3"]
        case "no checkpoint":
            model = tmp_path / "nowhere"
        case "too large":
            model = tmp_path / "large"
            model.mkdir()
            (model / "tiktoken.model").write_bytes((checkpoint / "tiktoken.model").read_bytes())
            config = config_of(Tokenizer.load(model), num_hidden_layers=64, hidden_size=65536, intermediate_size=262144)
            (model / "config.json").write_text(json.dumps(config.to_json()))
        case _:
            pass
    code, printed, told = moonhand("train", run, "--model", model, "--out", tmp_path / "out", *flags, "--json")
    assert code in (2, 4)
    assert problem in json.loads(printed)["error"]
    assert problem in told.replace("\n", " ")
    assert told.count("error:") == 1
    assert not (tmp_path / "out").exists()


def record_parts(folder: Path) -> tuple[Path, list[Frame]]:
    """A run whose second picture is kept as a part of the first, and both."""
    first = frame(1, 240, 200)
    pixels = first.pixels_HW3.copy()
    pixels[100:160, 40:120] = 255 - pixels[100:160, 40:120]
    frames = [first, Frame(pixels)]
    record(folder, clicks(*POINTS), shots=frames)
    assert [path.name for path in folder.glob("frames/*.crop.png")] == [f"{frames[1].sha256}.crop.png"]
    return folder, frames


def test_a_picture_that_is_kept_as_a_part_of_another_is_learned_from_as_a_whole(
    checkpoint: Path, tmp_path: Path
) -> None:
    parts, frames = record_parts(tmp_path / "parts")
    whole, _ = record_parts(tmp_path / "whole")
    (whole / "frames" / f"{frames[1].sha256}.png").write_bytes(frames[1].to_png())
    (whole / "frames" / f"{frames[1].sha256}.crop.png").unlink()
    for run in (parts, whole):
        flags = ("--model", checkpoint, "--steps", 2, "--batch", 2, "--seed", 0, "--workers", 0)
        code, _, told = moonhand("train", run, "--out", tmp_path / f"{run.name}-out", *flags)
        assert code == 0, told
    assert figures_of(tmp_path / "parts-out") == figures_of(tmp_path / "whole-out")
    (lessons,) = read_lessons([parts], PROFILES["nano"]).by_run
    for lesson, seen in zip(lessons, frames, strict=True):
        shown = [part for turn in sample_of(lesson, PROFILES["nano"]).messages for part in turn.content]
        (picture,) = [part for part in shown if isinstance(part, Picture)]
        assert np.array_equal(picture.pixels_HW3, seen.pixels_HW3)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("torn", "cannot be read as a picture"),
        ("its whole is gone", "cannot be read as a picture"),
        ("its whole is torn", "cannot be read as a picture"),
        ("its whole is another size", "is 300x250 px, but its step says 240x200"),
        ("outside", "outside the frame it belongs to"),
        ("of nothing", "does not say what it is a part of"),
    ],
)
def test_a_part_of_a_picture_that_gives_no_whole_one_is_refused_before_work_starts(
    checkpoint: Path, tmp_path: Path, wrong: str, problem: str
) -> None:
    run, frames = record_parts(tmp_path / "run")
    whole, part = (
        run / "frames" / f"{seen.sha256}{end}" for seen, end in zip(frames, (".png", ".crop.png"), strict=True)
    )
    match wrong:
        case "torn":
            part.write_bytes(part.read_bytes()[:-200])
        case "its whole is gone":
            whole.unlink()
        case "its whole is torn":
            whole.write_bytes(whole.read_bytes()[:-200])
        case "its whole is another size":
            whole.write_bytes(frame(1, 300, 250).to_png())
        case _:
            about = PngInfo()
            if wrong == "outside":
                about.add_text(CROP_KEY, json.dumps({"base": frames[0].sha256, "left_px": 200, "top_px": 100}))
            Image.fromarray(frames[1].pixels_HW3[100:160, 40:120]).save(part, format="PNG", pnginfo=about)
    with pytest.raises(TrajectoryError, match=problem):
        read_trajectory(run).steps[1].before.check_files()
    code, printed, _ = moonhand("train", run, "--model", checkpoint, "--out", tmp_path / "out", "--json")
    assert code == 2
    assert problem in json.loads(printed)["error"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("flag", ["--lr", "--epochs", "--held-out"])
def test_a_flag_that_is_no_number_is_refused_by_name(checkpoint: Path, tmp_path: Path, flag: str, value: str) -> None:
    run = record(tmp_path / "run", clicks(*POINTS))
    code, printed, _ = moonhand(
        "train", run, "--model", checkpoint, "--out", tmp_path / "out", f"{flag}={value}", "--json"
    )
    assert code == 2
    assert flag in json.loads(printed)["error"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flags", [("--epochs", "1e308"), ("--steps", 10**30)])
def test_more_steps_than_anybody_waits_for_are_refused(tmp_path: Path, flags: tuple[str, Any]) -> None:
    code, _, told = moonhand("train", tmp_path, "--out", tmp_path / "out", *flags)
    assert code == 2
    assert flags[0] in told


def test_a_rate_that_ruins_the_weights_in_one_step_ends_without_a_model(checkpoint: Path, tmp_path: Path) -> None:
    run, out = record(tmp_path / "run", clicks(*POINTS)), tmp_path / "out"
    flags = ("--steps", 1, "--batch", 2, "--lr", "1e308", "--workers", 0, "--json")
    code, printed, _ = moonhand("train", run, "--model", checkpoint, "--out", out, *flags)
    assert code == 2
    assert "weights are not finite at step 1" in json.loads(printed)["error"]
    assert {path.name for path in out.iterdir()} == {"train.json", "curve.jsonl"}


def test_a_folder_with_another_run_is_left_alone(checkpoint: Path, tmp_path: Path) -> None:
    run = record(tmp_path / "run", clicks(*POINTS))
    command = ["train", run, "--model", checkpoint, "--out", tmp_path / "out", "--steps", 1, "--workers", 0]
    assert moonhand(*map(str, command))[0] == 0
    kept = (tmp_path / "out" / "checkpoint.pt").read_bytes()
    code, _, told = moonhand(*map(str, command), "--seed", "1")
    assert code == 2
    assert "seed" in told
    is_untouched = (tmp_path / "out" / "checkpoint.pt").read_bytes() == kept
    assert is_untouched
