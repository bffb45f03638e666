"""How the target of a recorded action is known again by its pixels and by what the page tells of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moonhand.agent import Step, Trajectory, TrajectoryError, read_trajectory
from moonhand.agent.replay import accept, name_variable, read_patches, reject, values_of
from moonhand.agent.replay.alike import Box, is_alike, places_of
from moonhand.agent.replay.anchor import NEAR, ROW, Anchor, anchor_of
from moonhand.agent.replay.kin import is_kin, kinship, page_of, with_put
from moonhand.agent.replay.patch import Patch, write_patches
from moonhand.envs import Click, Effect, Element, Frame, Point, TypeText
from PIL import Image, ImageDraw

BUTTON = Element(
    tag="button",
    role="button",
    name="Pay",
    near="Acme 120",
    selectors=("#pay", "aria/Pay", "xpath//html/body/button"),
    left_px=10,
    top_px=10,
    width_px=60,
    height_px=24,
)


def drawn(*words: tuple[int, int, str], size: tuple[int, int] = (480, 320)) -> Frame:
    picture = Image.new("RGB", size, (245, 245, 250))
    pen = ImageDraw.Draw(picture)
    for left, top, text in words:
        if text.isupper():
            pen.rectangle((left - 6, top - 5, left + 50, top + 17), fill=(220, 220, 225), outline=(90, 90, 90))
        pen.text((left, top), text, "black")
    return Frame(np.asarray(picture))


def rows(*names: str, top: int = 40) -> Frame:
    """A list whose rows differ by a name at their left end, and have the same button."""
    lines = [(40, top + 40 * number, f"Row of {name}") for number, name in enumerate(names)]
    return drawn(*lines, *((240, line[1], "DELETE") for line in lines))


def button(frame: Frame, top: int) -> Anchor:
    anchor = anchor_of(frame, Point(260, top + 6))
    return replace(anchor, box=Box(234, top - 5, 291, top + 18), _seen={})


def test_a_crop_is_found_where_it_moved_and_only_there() -> None:
    before, after = drawn((100, 80, "SAVE"), (300, 80, "SEND")), drawn((137, 203, "SAVE"), (300, 80, "SEND"))
    box = Box(94, 75, 151, 98)
    best = places_of(box.of(before.pixels_HW3), box, after.pixels_HW3)[0]
    assert (best.dx, best.dy) == (37, 123)
    assert best.score > 0.99
    anchor = replace(anchor_of(before, Point(110, 85)), box=box, _seen={})
    assert [(place.dx, place.dy) for place in anchor.seen_in(after)] == [(37, 123)]


def test_a_crop_of_one_colour_is_found_nowhere() -> None:
    frame = drawn((100, 80, "SAVE"))
    box = Box(300, 200, 340, 220)
    assert places_of(box.of(frame.pixels_HW3), box, frame.pixels_HW3) == []


def test_a_caret_and_shades_are_forgiven_and_letters_are_not() -> None:
    blank = np.full((40, 120, 3), 250, np.uint8)
    caret = blank.copy()
    caret[10:28, 33] = 0
    assert is_alike(blank, caret)
    assert is_alike(blank, blank - 10)
    assert not is_alike(blank, blank - 20)  # letters can be as light as that
    one, other = (drawn((20, 12, word), size=(120, 40)).pixels_HW3 for word in ("Pay 120.", "Pay 120"))
    assert not is_alike(one, other)


def test_what_looks_alike_is_told_apart_by_the_row_it_is_in() -> None:
    before = rows("Ada", "Ben", "Cleo")
    anchor = button(before, 80)
    assert len(anchor.repeats) == 3
    assert anchor.telling == ROW
    shifted = rows("Ada", "Ben", "Cleo", top=80)  # by just one row: Ada's button is where Ben's was
    assert anchor.is_at(shifted.pixels_HW3, 0, 0)
    assert not anchor.is_around(shifted.pixels_HW3, 0, 0, ROW)
    assert [
        place.dy for place in anchor.seen_in(shifted) if anchor.is_around(shifted.pixels_HW3, 0, place.dy, ROW)
    ] == [40]
    assert not any(anchor.is_around(rows("Ada", "Cleo").pixels_HW3, 0, dy, ROW) for dy in (-40, 0, 40))


def test_what_was_typed_may_differ() -> None:
    before, after = drawn((100, 80, "Ada"), (100, 120, "SAVE")), drawn((100, 80, "Grace"), (100, 120, "SAVE"))
    anchor = anchor_of(before, Point(110, 125))
    assert not anchor.is_around(after.pixels_HW3, 0, 0, NEAR)
    masked = anchor_of(before, Point(110, 125), hidden=[Box(90, 72, 220, 100)])
    assert masked.is_around(after.pixels_HW3, 0, 0, NEAR)


def test_an_element_is_the_same_by_kind_and_name_and_what_is_beside_it() -> None:
    assert kinship(BUTTON, replace(BUTTON, left_px=99), {}) == "same"
    assert kinship(BUTTON, replace(BUTTON, name="Paid"), {}) == "other"
    assert kinship(BUTTON, replace(BUTTON, tag="a"), {}) == "other"
    assert kinship(BUTTON, replace(BUTTON, near="Birch 75"), {}) == "doubtful"
    assert kinship(BUTTON, None, {}) == "silent"
    nameless = replace(BUTTON, name="", near="")
    assert kinship(nameless, replace(nameless, selectors=("#bin", *BUTTON.selectors[2:])), {}) == "other"
    assert kinship(nameless, replace(nameless, selectors=BUTTON.selectors[2:]), {}) == "same"
    for href, kin in (("/cart", "same"), ("#", "doubtful"), ("javascript:pay()", "doubtful")):
        link = replace(BUTTON, tag="a", role="link", selectors=(f'a[href="{href}"]',))
        assert kinship(link, replace(link, near="2 things"), {}) == kin, "an address says what a link does"
    assert kinship(None, BUTTON, {}) == "unknown"
    assert kinship(BUTTON, replace(BUTTON, near="Corvid 120"), {"Acme": "Corvid"}) == "same"
    assert with_put("Ada and Adam", {"Ada": "Eve"}) == "Eve and Adam"


def test_the_model_is_believed_only_for_the_same_name() -> None:
    assert is_kin(BUTTON, replace(BUTTON, name="pay!", left_px=300), {})
    for other in ("Pay all", "Unpay", "Repay"):
        assert not is_kin(BUTTON, replace(BUTTON, name=other), {})
    assert not is_kin(BUTTON, replace(BUTTON, near="Birch 75"), {})
    assert not is_kin(BUTTON, replace(BUTTON, selectors=BUTTON.selectors[2:]), {}), "its place in the tree is no proof"
    assert not is_kin(BUTTON, None, {})


def test_a_page_is_its_origin_and_path() -> None:
    assert page_of("https://a.example/x/?q=1#top", {}) == page_of("https://a.example/x", {})
    assert page_of("https://a.example/x", {"https://a.example": "http://localhost:8"}) == "http://localhost:8/x"
    assert page_of("data:text/html,<p>", {}) == "data"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two steps: a click, and a text."""
    with Trajectory(tmp_path / "recorded", goal="") as trajectory:
        stored = trajectory.store(drawn((100, 80, "SAVE")))
        click = Step(index=0, turn=0, before=stored, after=stored, action=Click(x_px=110, y_px=85))
        told = Effect(performed=True, detail="click (110, 85)", changed=True, change="changed_near")
        trajectory.append(replace(click, reply="click Save at 110, 85", confidence=0.9, effect=told))
        trajectory.append(replace(click, index=1, action=TypeText(text="ada@x.example")))
        trajectory.finish("finished")
    return tmp_path / "recorded"


def test_a_typed_text_becomes_a_variable(recorded: Path) -> None:
    name_variable(read_trajectory(recorded), "email", 1)
    recording = read_trajectory(recorded)
    assert recording.variables["email"].default == "ada@x.example"
    assert values_of(recording, {"email": "b@x.example"}) == {1: "b@x.example"}
    assert values_of(recording, {"email": "ada@x.example"}) == {}
    with pytest.raises(ValueError, match=r"no variable 'mail' \(it has: email\)"):
        values_of(recording, {"mail": ""})
    with pytest.raises(ValueError, match="step 1 types no text; those that do: 2"):
        name_variable(recording, "x", 0)


def healed(recorded: Path, folder: Path) -> Path:
    """A replay in which the click went elsewhere."""
    with Trajectory(folder, goal="", source="replay", replay_of=str(recorded)) as trajectory:
        stored = trajectory.store(drawn((100, 180, "SAVE")))
        new = Click(x_px=110, y_px=185)
        told = Effect(performed=True, detail="click (110, 185)", changed=False, change="no_change")
        trajectory.append(Step(index=0, turn=0, before=stored, after=stored, action=new, effect=told))
        trajectory.finish("finished")
    old = Click(x_px=110, y_px=85)
    patch = Patch(
        number=1, recorded=0, step=0, kind="moved", how="pixels", said="moved by (+0, +100) px", before=old, after=new
    )
    write_patches(folder, [patch])
    return folder


def test_a_healed_step_is_accepted_into_the_recording_once(recorded: Path, tmp_path: Path) -> None:
    folder = healed(recorded, tmp_path / "replay")
    replayed, original = read_trajectory(folder), read_trajectory(recorded)
    assert accept(replayed, original, None, tmp_path / "copy") == [1]
    assert read_trajectory(recorded).steps == original.steps, "a copy leaves it as it was"
    assert accept(replayed, original, [1], None) == [1]
    for changed in (read_trajectory(recorded), read_trajectory(tmp_path / "copy")):
        assert not changed.problems
        assert changed.steps[0].action == Click(x_px=110, y_px=185)
        assert changed.steps[0].before.read().sha256 == replayed.steps[0].before.sha256
        step = changed.steps[0]
        assert step.after is not None
        assert step.after.read().sha256 == step.before.sha256
        assert (step.reply, step.confidence) == (None, None), "what a model said was of the old place"
        assert step.effect is not None
        assert (step.effect.detail, step.effect.changed) == ("click (110, 185); moved by (+0, +100) px", False)
        assert step.healed is not None
        first = step.healed["recorded"]
        assert (first["reply"], first["action"]["y_px"], first["effect"]["changed"]) == (
            "click Save at 110, 85",
            85,
            True,
        )
        assert changed.steps[1] == replace(original.steps[1], **paths(changed.steps[1]))
    assert [patch.state for patch in read_patches(folder)] == ["accepted"]
    with pytest.raises(TrajectoryError, match="is accepted already"):
        accept(replayed, original, [1], None)


def paths(step: Step) -> dict[str, object]:
    return {"before": step.before, "after": step.after}


def test_a_healed_step_can_be_rejected_and_one_that_is_not_there_is_told(recorded: Path, tmp_path: Path) -> None:
    folder = healed(recorded, tmp_path / "replay")
    with pytest.raises(TrajectoryError, match="no healed step 7; there are: 1"):
        reject(folder, [7])
    assert reject(folder, None) == [1]
    assert json.loads((folder / "healed.json").read_bytes())["patches"][0]["state"] == "rejected"
    (folder / "healed.json").write_text("{")
    with pytest.raises(TrajectoryError, match="is no list of healed steps"):
        read_patches(folder)
