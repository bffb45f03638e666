"""`moonhand ask` from end to end: where things are printed, and how it leaves."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from ask_files import GREEN, RED, numbered, write_film, write_pdf, write_picture
from moonhand.model import Grammar, Message, SamplingConfig, load, split_thinking
from moonhand.model.chat import THINK_CLOSE, THINK_OPEN
from moonhand.tasks.ask.command import ask
from moonhand.tasks.ask.talk import Splitter
from moonhand.tasks.ask.talk import ask as ask_engine
from PIL import Image, ImageDraw
from typer.testing import CliRunner, Result

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(ask)
HERE = "--device", "cpu", "--dtype", "float32"
NOWHERE = "--model", "nowhere"  # a model that is not there: what is wrong before is told before


def run(*arguments: str | Path, input: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=input, catch_exceptions=False)


def answer(left: Result) -> dict[str, Any]:
    assert left.exit_code == 0, left.stderr
    return json.loads(left.stdout)


@pytest.fixture(scope="session")
def thinking_checkpoint(babbling_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thinks and answers, both in its one long token."""
    folder = tmp_path_factory.mktemp("model") / "tiny-thinking"
    shutil.copytree(babbling_checkpoint, folder)
    lines = (folder / "tiktoken.model").read_bytes().splitlines()
    said = f"{THINK_OPEN}I look.{THINK_CLOSE}It is red.".encode()
    lines[-1] = base64.b64encode(said) + b" " + lines[-1].split()[1]
    (folder / "tiktoken.model").write_bytes(b"\n".join(lines) + b"\n")
    return folder


@pytest.fixture
def screen(tmp_path: Path) -> Path:
    image = Image.new("RGB", (280, 196), "white")
    draw = ImageDraw.Draw(image)
    for left, label, colour in ((20, "Cancel", (150, 150, 150)), (160, "Save", (40, 90, 200))):
        draw.rectangle((left, 120, left + 90, 150), fill=colour)
        draw.text((left + 25, 129), label, fill="white")
    image.save(tmp_path / "screen.png")
    return tmp_path / "screen.png"


def test_the_answer_is_on_stdout_and_the_thought_on_stderr(thinking_checkpoint: Path, screen: Path) -> None:
    left = run("What colour?", screen, "--model", thinking_checkpoint, *HERE)
    assert (left.exit_code, left.stdout) == (0, "It is red.\n")
    assert left.stderr.splitlines()[-1] == "I look."
    hidden = run("What colour?", screen, "--model", thinking_checkpoint, *HERE, "--no-thinking")
    assert (hidden.stdout, "I look" in hidden.stderr) == ("It is red.\n", False)


def test_json_is_one_object_with_the_engines_own_counts(thinking_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("three\nlines\nof text")
    pdf = write_pdf(tmp_path / "r.pdf", [RED, GREEN])
    film = write_film(tmp_path / "f.mp4", [numbered(number) for number in range(60)])
    paths = [f"{pdf}:2", tmp_path / "n.txt", film, write_picture(tmp_path / "p.png")]
    ask_it = ["Which?", *paths, "--model", thinking_checkpoint, *HERE, "--json", "--fps", 2]
    told = answer(run(*map(str, ask_it)))
    assert (told["answer"], told["thinking"], told["finish_reason"]) == ("It is red.", "I look.", "stop")
    assert [(each["path"], each["kind"]) for each in told["inputs"]] == [
        (str(path), kind) for path, kind in zip(paths, ("pdf", "text", "video", "picture"), strict=True)
    ]
    assert told["inputs"][0]["pages"] == [2]
    assert [frame["timestamp"] for frame in told["inputs"][2]["frames"]] == [
        f"00:00:0{n}.{n2}00" for n in (0, 1) for n2 in (0, 5)
    ]
    assert told["usage"]["image_tokens"] == sum(
        each["read_tokens"] for each in told["inputs"] if each["kind"] != "text"
    )
    assert told["usage"]["completion_tokens"] == 1
    assert (told["model"], told["context_tokens"]) == ("tiny-thinking", 4096)
    counted = answer(run(*map(str, ask_it), "--count"))
    assert counted["prompt_tokens"] == told["usage"]["prompt_tokens"]
    assert counted["inputs"] == told["inputs"]


def test_the_count_is_of_what_the_context_has_to_hold_blanks_too(tmp_path: Path) -> None:
    Image.new("RGB", (400, 400), "white").save(tmp_path / "blank.png")
    told = run("q", tmp_path / "blank.png", "--count", *HERE)
    assert told.exit_code == 0
    found = re.fullmatch(r"(\d+) tokens of 8,192 \((\d+) without what is blank\)\n", told.stdout)
    assert found is not None
    assert int(found[1]) > 196 > int(found[2])
    counted = answer(run("q", tmp_path / "blank.png", "--count", "--json", *HERE))
    assert [counted["prompt_context_tokens"], counted["prompt_tokens"]] == [int(found[1]), int(found[2])]
    (shown,) = counted["inputs"]
    assert counted["prompt_context_tokens"] - counted["prompt_tokens"] == shown["tokens"] - shown["read_tokens"] > 0


@pytest.mark.parametrize("flags", [("--pages", "1"), ("--dpi", "72"), ("--fps", "2"), ("--frames", "3")])
def test_what_is_said_of_pages_or_films_needs_one(flags: tuple[str, str], screen: Path) -> None:
    left = run("q", screen, *flags, *NOWHERE)
    assert left.exit_code == 2
    assert re.fullmatch(rf"error: {flags[0]}: for a .*: leave that out", " ".join(left.stderr.split()))


def test_nano_says_what_it_was_trained_for_and_still_points(screen: Path) -> None:
    left = run("click Save", screen, *HERE)
    assert left.exit_code == 0
    assert left.stdout.startswith("click(x=0.")
    assert left.stderr == (
        "nano was trained to point at things on screens alone: do not rely on what it says in words (--model DIR)\n"
    )


def test_answers_have_the_form_that_was_asked_for(babbling_checkpoint: Path, screen: Path, tmp_path: Path) -> None:
    base = ["What?", screen, "--model", babbling_checkpoint, *HERE, "--json"]
    assert answer(run(*base, "--choice", "yes, no (maybe)"))["answer"] in ("yes", "no (maybe)")
    assert answer(run(*base, "--regex", "[0-9]{3}"))["answer"].isdecimal()
    schema = {
        "type": "object",
        "properties": {"on": {"type": "boolean"}},
        "required": ["on"],
        "additionalProperties": False,
    }
    (tmp_path / "s.json").write_text(json.dumps(schema))
    assert set(answer(run(*base, "--schema", tmp_path / "s.json"))["value"]) == {"on"}
    left = run(*base[:-1], "--regex", "[a-z]{300}", "--max-new-tokens", "9")
    assert left.exit_code == 1
    assert "the answer was cut off after 9 tokens: give more with --max-new-tokens" in left.stderr


BAD: dict[str, tuple[Sequence[str], str]] = {
    "no question": ((" ",), "the question is empty"),
    "missing": (("q", "no.png"), "there is no file no.png"),
    "the file first": ((__file__, "what is this?"), "the question comes first, then the files"),
    "two forms": (("q", "--regex", "a", "--choice", "a,b"), "--regex and --choice: an answer has one form"),
    "one choice": (("q", "--choice", "a"), "two or more different answers"),
    "no expression": (("q", "--regex", "["), "--regex: the regex grammar cannot be used"),
    "no schema": (("q", "--schema", "no.json"), "--schema no.json cannot be read"),
    "sample": (("q", "--sample", "random"), "is not one of uniform, scenes"),
    "scenes by the clock": (("q", "--sample", "scenes", "--fps", "1"), "scenes goes by what changes"),
    "no frames": (("q", "--frames", "0"), "--frames 0 must be 1 to 256"),
    "no fps": (("q", "--fps", "0"), "must be more than 0"),
    "dpi": (("q", "--dpi", "3"), "--dpi 3 must be 10 to 1200"),
    "pages": (("q", "--pages", "one"), "names no pages"),
    "chat as JSON": (("q", "--chat", "--json"), "--chat has many answers"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_leave_with_2_before_a_model_is_looked_for(name: str) -> None:
    arguments, said = BAD[name]
    left = run(*arguments, *NOWHERE)
    assert left.exit_code == 2
    assert left.stderr.startswith("error: ")
    assert said in left.stderr
    assert left.stderr.count("\n") == 1
    assert left.stdout == ("" if "--json" not in arguments else json.dumps({"error": left.stderr[7:-1]}) + "\n")


def test_what_is_too_long_leaves_with_4_before_weights_are_read(babbling_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "no weights"
    shutil.copytree(babbling_checkpoint, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (tmp_path / "long.txt").write_text("word " * 2000)
    left = run("What?", tmp_path / "long.txt", "--model", folder, *HERE)
    assert left.exit_code == 4
    assert "more than the 4,096 of no weights; fewer frames and smaller pictures would not do" in left.stderr


def test_a_conversation_goes_on_line_by_line(thinking_checkpoint: Path, screen: Path) -> None:
    left = run("What?", screen, "--model", thinking_checkpoint, *HERE, "--chat", input="And now?\n\nAgain?\n")
    assert left.exit_code == 0
    assert left.stdout == "It is red.\n" * 3


def test_a_second_question_does_not_read_the_first_again(thinking_checkpoint: Path) -> None:
    engine = load(thinking_checkpoint, device="cpu", dtype="float32")
    messages = [Message("user", ("What is this about? " * 20,))]
    first = ask_engine(engine, messages, SamplingConfig(), None)
    messages += [Message("assistant", (first.text,)), Message("user", ("And then?",))]
    second = ask_engine(engine, messages, SamplingConfig(), None)
    assert (second.cached_tokens or 0) >= (first.prompt_tokens or 0)


def test_what_was_said_stays_where_somebody_stops_it(babbling_checkpoint: Path) -> None:
    engine = load(babbling_checkpoint, device="cpu", dtype="float32")
    told: list[str] = []

    def tell(part: str, text: str) -> None:
        told.append(text)
        if len(told) == 3:
            signal.raise_signal(signal.SIGINT)

    sampling = SamplingConfig(max_new_tokens=50, grammar=Grammar.regex("[a-z]{50}"))
    said = ask_engine(engine, [Message("user", ("Go",))], sampling, tell)
    assert (said.finish_reason, said.completion_tokens, said.answer) == ("stopped", 3, "".join(told))


@pytest.mark.slow
def test_ctrl_c_leaves_what_was_said() -> None:
    program = "import typer; from moonhand.tasks.ask.command import ask; typer.run(ask)"
    command = [sys.executable, "-c", program, "Go", "--regex", "[a-z]{5000}", "--max-new-tokens", "6000", *HERE]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as running:
        assert running.stdout is not None
        first = running.stdout.read(3)
        running.send_signal(signal.SIGINT)
        rest, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert (first + rest).decode().strip().isalpha()
    assert rest.endswith(b"\n")
    assert told.decode().splitlines()[-1] == "stopped"


def test_a_server_answers_the_same_and_is_asked_for_the_form(
    thinking_checkpoint: Path, screen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "model")
    from served_nano import Behaviour, serving  # pyright: ignore[reportMissingImports]

    how = Behaviour(names=("tiny-thinking",))
    with serving(load(thinking_checkpoint, device="cpu", dtype="float32"), how) as url:
        told = answer(
            run("What?", screen, "--model", f"openai:{url}", "--json", "--seed", "7", "--max-new-tokens", "50")
        )
        streamed = run("What?", screen, "--model", f"openai:{url}", "--choice", "yes,no")
    assert (told["answer"], told["thinking"], told["finish_reason"]) == ("It is red.", "I look.", "stop")
    assert told["usage"]["completion_tokens"] == 1
    sent = [body for body in how.bodies if body.get("seed") == 7]
    assert [body["max_tokens"] for body in sent] == [50]
    assert streamed.exit_code in (0, 1)
    assert how.bodies[-1]["stream"] is True


@pytest.mark.parametrize(
    "text",
    [
        "just an answer",
        f"{THINK_OPEN}a thought{THINK_CLOSE}an answer",
        f"before {THINK_OPEN}a thought{THINK_CLOSE} and after {THINK_OPEN} is text",
        f"{THINK_OPEN}cut short {THINK_CLOSE[:-1]}",
        f"no mark {THINK_OPEN[:-1]}",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_thought_and_answer_come_apart_however_they_are_cut(text: str, size: int) -> None:
    splitter, told = Splitter(), {"thinking": "", "answer": ""}
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    for part, words in [*(each for piece in pieces for each in splitter.push(piece)), *splitter.rest()]:
        told[part] += words
    parts = split_thinking(text)
    assert told["answer"].strip() == parts.answer
    assert told["thinking"].strip() == (parts.thinking or "")
