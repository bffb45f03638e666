"""What a question takes is what the engine counts; what does not fit is named before it is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ask_files import RED, nano_room, noise, numbered, write_film, write_pdf
from moonhand.model import ContextTooLong, Message, Picture, load
from moonhand.model.prompt import Prompt
from moonhand.tasks.ask.asking import Asking, prepare
from moonhand.tasks.ask.files import Reading, open_inputs
from moonhand.tasks.ask.fitting import dropped, fitted, with_frames
from moonhand.tasks.ask.inputs import Input
from moonhand.tasks.ask.sampling_times import Sampling
from moonhand.tasks.console import ModelChoice
from moonhand.tasks.errors import BadRequest
from PIL import Image

QUESTION = "What changes?"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> list[Input]:
    """A text, two pages of 300x450 px at 150 dpi, and forty frames of 160x96 px."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "notes.txt").write_text("one two three four five\n" * 4)
    pdf = write_pdf(folder / "report.pdf", [RED, RED], size_pt=(144, 216))
    film = write_film(folder / "talk.mp4", [numbered(number) for number in range(40)])
    paths = [str(folder / "notes.txt"), str(pdf), str(film)]
    return open_inputs(paths, Reading(dpi=150, sampling=Sampling(frames=40)))


def test_positions_are_those_of_the_engines_own_prompt(long: list[Input]) -> None:
    room = replace(nano_room(), system="You look closely.")
    shown = [Picture(pixels) for each in long for pixels in each.read(each.views)]
    from moonhand.tasks.ask.inputs import parts_of

    left = iter(shown)
    parts = tuple(part if isinstance(part, str) else next(left) for part in parts_of(long))
    messages = [Message("system", ("You look closely.",)), Message("user", (*parts, QUESTION))]
    whole = replace(room.config, image=replace(room.config.image, blank_levels=None))
    assert room.tokenizer is not None
    assert room.positions(long, QUESTION) == len(Prompt.read(messages, room.tokenizer, whole).ids)


def test_frames_go_first_and_as_few_as_needed(long: list[Input]) -> None:
    room = nano_room()
    needed = room.positions(long, QUESTION) + room.max_new_tokens
    room = nano_room(context=needed)
    assert fitted(long, QUESTION, room) == long
    room = nano_room(context=needed - 1)
    less = fitted(long, QUESTION, room)
    assert less is not None
    assert dropped(long, less) == ["talk.mp4 at 39 of its 40 frames"]
    assert less[:2] == long[:2]
    assert less[2].views == with_frames(long[2], 39).views
    assert set(less[2].views) < set(long[2].views)


def test_then_everything_gets_smaller_and_texts_are_never_cut(long: list[Input]) -> None:
    room = nano_room()
    few = [with_frames(each, 8) for each in long]
    room = nano_room(context=room.positions(few, QUESTION) + room.max_new_tokens - 60)
    less = fitted(long, QUESTION, room)
    assert less is not None
    assert room.over(less, QUESTION) <= 0
    told = dropped(long, less)
    assert [each.split(" at ")[0] for each in told] == ["report.pdf", "talk.mp4"]
    assert told[0].endswith(" instead of 150 dpi")
    assert less[0] == long[0]
    assert less[1].read(less[1].views)[0].shape[:2] == (less[1].views[0].height_px, less[1].views[0].width_px)
    assert fitted(long, QUESTION, nano_room(context=300)) is None


def test_the_error_says_what_would_fit_and_by_how_much_it_does_not(tmp_path: Path) -> None:
    noise(tmp_path / "a.png", (1344, 896))  # 48x32 tokens
    inputs = open_inputs([str(tmp_path / "a.png")] * 6, Reading())
    asking = Asking(question=QUESTION, inputs=tuple(inputs), frames_words="", max_new_tokens=100)
    told: list[str] = []
    with pytest.raises(ContextTooLong) as refused:
        prepare(asking, ModelChoice("nano"), fit=False, say=told.append, confirm=None)
    words = nano_room().words(inputs, QUESTION)
    over = words + 6 * 1536 + 100 - 8192
    assert told == []
    assert str(refused.value).startswith(
        f"the prompt takes {words + 9216:,} tokens ({words:,} of words, 9,216 of 6 pictures) and the answer may take "
        f"100: {over:,} more than the 8,192 of nano. It fits with "
    )
    asked: list[str] = []
    prepared = prepare(
        asking, ModelChoice("nano"), fit=False, say=told.append, confirm=lambda text: not asked.append(text)
    )
    assert len(asked) == 1
    assert "Show less: " in asked[0]
    assert prepared.prompt_tokens + 100 <= 8192
    assert prepare(asking, ModelChoice("nano"), fit=True, say=told.append, confirm=None).inputs == prepared.inputs
    assert told[-1].startswith(f"the prompt takes {words + 9216:,} tokens")
    assert "; shown instead: " in told[-1]


def test_an_answer_of_no_given_length_takes_what_is_left(tmp_path: Path) -> None:
    noise(tmp_path / "a.png", (1344, 896))
    inputs = tuple(open_inputs([str(tmp_path / "a.png")] * 4, Reading()))
    told: list[str] = []
    asking = Asking(question=QUESTION, inputs=inputs, frames_words="")
    prepared = prepare(asking, ModelChoice("nano"), fit=False, say=told.append, confirm=None)
    left = 8192 - nano_room().positions(inputs, QUESTION)
    assert prepared.sampling.max_new_tokens == left
    assert told == [f"the answer may take {left:,} tokens: the prompt leaves no more of the 8,192"]


def test_counted_tokens_are_those_of_the_generation(long: list[Input], tmp_path: Path) -> None:
    image = Image.new("RGB", (400, 300), "white")  # nano leaves out what is blank
    image.paste(RED, (30, 40, 200, 90))
    image.save(tmp_path / "screen.png")
    inputs = (*open_inputs([str(tmp_path / "screen.png")], Reading()), *(with_frames(each, 2) for each in long))
    asking = Asking(question=QUESTION, inputs=inputs, frames_words="", max_new_tokens=2)
    prepared = prepare(asking, ModelChoice("nano", "cpu", "float32"), fit=False, say=lambda _: None, confirm=None)
    made = load("nano", device="cpu", dtype="float32").generate(prepared.messages, prepared.sampling)
    assert prepared.prompt_tokens == made.prompt_tokens
    pictures = [tokens for each, tokens in zip(inputs, prepared.tokens, strict=True) if each.kind != "text"]
    assert sum(pictures) == made.image_tokens
    assert sum(pictures) < sum(nano_room().tokens(view) for each in inputs for view in each.views)


def test_a_strip_that_the_processor_cannot_take_is_refused_with_its_name(tmp_path: Path) -> None:
    Image.new("RGB", (8000, 10)).save(tmp_path / "strip.png")
    with pytest.raises(BadRequest, match=r"strip\.png: a 8000x10 px picture .* crop it"):
        nano_room().check_sizes(open_inputs([str(tmp_path / "strip.png")], Reading()))


def test_frames_are_read_as_large_as_the_model_sees_them(tmp_path: Path) -> None:
    film = write_film(tmp_path / "large.mp4", [np.zeros((1080, 1920, 3), np.uint8)] * 2)
    (given,) = open_inputs([str(film)], Reading())
    room = nano_room()
    seen = room.as_seen(given)
    assert (seen.views[0].width_px, seen.views[0].height_px) == room.seen_px(given.views[0])
    assert room.tokens(seen.views[0]) == room.tokens(given.views[0])
    assert seen.read(seen.views)[0].shape[:2] == (seen.views[0].height_px, seen.views[0].width_px)
