"""Frames of films: the right ones, at the right times, upright."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from ask_files import BLUE, GREEN, RED, number_on, numbered, pixels, write_film
from moonhand.tasks.ask.files import Reading, open_inputs
from moonhand.tasks.ask.inputs import Input, View
from moonhand.tasks.ask.sampling_times import Sampling
from moonhand.tasks.errors import BadRequest
from PIL import Image

FILM = [numbered(number) for number in range(90)]
KEEP_TIMES = {"avoid_negative_ts": "disabled"}
TOLERANCE_S = Fraction(1, 1000)  # Matroska counts ms


def opened(path: Path, sampling: Sampling) -> Input:
    (given,) = open_inputs([str(path)], Reading(sampling=sampling))
    return given


def numbers(given: Input) -> list[int]:
    return [number_on(each) for each in pixels(given)]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three seconds at 30 frames a second, with frames that are coded out of order, in four containers."""
    folder = tmp_path_factory.mktemp("films")
    return {
        "mp4": write_film(folder / "a.mp4", FILM),
        "mkv": write_film(folder / "a.mkv", FILM),
        "avi": write_film(folder / "a.avi", FILM, codec="mpeg4"),
        "ts": write_film(folder / "a.ts", FILM),
    }


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "ts"])
@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0, 30, 60]),
        (Sampling(fps=Fraction(4)), [0, 7, 15, 22, 30, 37, 45, 52, 60, 67, 75, 82]),
        (Sampling(frames=3), [15, 45, 75]),
        (Sampling(fps=Fraction(10), frames=2), [22, 67]),
        (Sampling(frames=200), list(range(90))),
    ],
    ids=["usual", "fps", "frames", "fps-at-most", "all"],
)
def test_a_frame_is_the_one_that_its_timestamp_says(
    films: dict[str, Path], kind: str, sampling: Sampling, expected: Sequence[int]
) -> None:
    given = opened(films[kind], sampling)
    assert numbers(given) == list(expected)
    assert given.total == 90
    for view, number in zip(given.views, expected, strict=True):
        assert view.at_s is not None
        assert abs(view.at_s - Fraction(number, 30)) <= TOLERANCE_S


def test_some_frames_of_all_are_read_in_any_choice(films: dict[str, Path]) -> None:
    given = opened(films["mp4"], Sampling(frames=90))
    for chosen in ([89], [0, 1, 89], [11, 12, 13], [35, 36, 71, 72]):
        read = given.read([given.views[index] for index in chosen])
        assert [number_on(each) for each in read] == chosen


def test_frames_that_are_not_even_have_their_own_times(tmp_path: Path) -> None:
    at = [0, 10, 15, 200, 205, 390]
    given = opened(write_film(tmp_path / "uneven.mkv", FILM[:6], pts=at), Sampling(fps=Fraction(2)))
    assert numbers(given) == [0, 2, 3, 4]  # at 0, 0.5 to 1.5, 2.0 and from 2.5 on
    assert [view.timestamp for view in given.views] == ["00:00:00.000", "00:00:00.150", "00:00:02.000", "00:00:02.050"]


def test_a_film_that_was_cut_without_coding_it_anew_begins_at_its_first_frame_that_is_shown(tmp_path: Path) -> None:
    film = write_film(tmp_path / "whole.mp4", FILM[:40], every=40)
    with av.open(str(film)) as whole, av.open(str(tmp_path / "cut.mp4"), "w", container_options=KEEP_TIMES) as cut:
        source = whole.streams.video[0]
        target = cut.add_stream_from_template(source)
        for packet in whole.demux(source):
            if packet.pts is not None and packet.dts is not None and source.time_base is not None:
                before = int(Fraction(9, 30) / source.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - before, packet.dts - before, target
                cut.mux(packet)
    given = opened(tmp_path / "cut.mp4", Sampling(fps=Fraction(5)))
    assert numbers(given) == [9, 15, 21, 27, 33, 39]
    assert given.views[1].timestamp == "00:00:00.200"


def test_a_timestamp_counts_hours_and_cuts_the_rest() -> None:
    view = View(width_px=1, height_px=1, at_s=Fraction(2 * 3600 + 3 * 60 + 4) + Fraction(2, 3))
    assert view.timestamp == "02:03:04.666"


def test_a_film_held_sideways_is_upright(tmp_path: Path) -> None:
    given = opened(write_film(tmp_path / "phone.mp4", FILM[:3], rotation=90), Sampling(frames=1))
    (shown,) = pixels(given)
    assert (given.views[0].width_px, given.views[0].height_px) == (96, 160)
    assert number_on(np.rot90(shown, -1)) == 1


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    given = opened(write_film(tmp_path / "wide.mkv", FILM[:3], aspect=Fraction(2, 1)), Sampling(frames=1))
    assert (given.views[0].width_px, given.views[0].height_px) == (320, 96)
    assert pixels(given)[0].shape == (96, 320, 3)


def test_scenes_begin_where_everything_changes_and_not_where_it_moves(tmp_path: Path) -> None:
    scenes = [np.full((96, 160, 3), colour, np.uint8) for colour in (RED, GREEN, BLUE)]
    moving = [np.roll(numbered(0b1010101), 2 * step, axis=1) for step in range(20)]
    film = [scenes[0]] * 20 + [scenes[1]] * 25 + [scenes[2]] * 10 + moving
    path = write_film(tmp_path / "scenes.mp4", film)
    given = opened(path, Sampling(at_scenes=True))
    assert [view.at_s for view in given.views] == [Fraction(number, 30) for number in (0, 20, 45, 55)]
    assert len(opened(path, Sampling(at_scenes=True, frames=2)).views) == 2


def test_a_gif_that_moves_is_a_film_by_its_own_times(tmp_path: Path) -> None:
    pictures = [Image.fromarray(numbered(number)) for number in range(4)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=[100, 700, 400, 300])
    given = opened(tmp_path / "a.gif", Sampling(fps=Fraction(2)))
    assert given.kind == "animation"
    assert numbers(given) == [0, 1, 2]  # at 0.0, 0.5 and 1.0
    assert [view.timestamp for view in given.views] == ["00:00:00.000", "00:00:00.100", "00:00:00.800"]


def test_more_frames_than_may_be_shown_are_refused(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", [FILM[0]] * 300, every=100)
    with pytest.raises(BadRequest, match=r"300 frames at 30 a second: at most 256 .* lower --fps or give --frames"):
        opened(path, Sampling(fps=Fraction(30)))
