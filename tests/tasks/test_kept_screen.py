"""What a replay takes from a recording, which may come from anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from moonhand.agent import Trajectory, read_trajectory
from moonhand.envs import Size
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.kept_screen import approval_of, left_out, moved_pages, screen_of

RECORDED = {"url": "http://a/x", "viewport": {"width_px": 300, "height_px": 200}, "scale": 2.0, "dialogs": "accept"}
DANGEROUS = {
    "chromium": "evil program",
    "user_data": "profile",
    "storage_state": "state.json",
    "grant": ["camera", "microphone"],
    "http_auth": "me:{{secret:shop}}",
}


def test_the_screen_is_as_recorded_unless_flags_say_otherwise(tmp_path: Path) -> None:
    same = screen_of(RECORDED, {"url": None, "downloads": tmp_path})
    assert (same.url, same.viewport, same.scale, same.dialogs) == ("http://a/x", Size(300, 200), 2.0, "accept")
    other = screen_of(RECORDED, {"virtual": Size(640, 480)})
    assert (other.url, other.virtual) == (None, Size(640, 480))
    with pytest.raises(BadRequest, match="does not say which screen"):
        screen_of({}, {})


def test_no_program_file_right_or_password_is_taken_and_the_flags_for_it_are_told() -> None:
    choice = screen_of(RECORDED | DANGEROUS, {})
    assert choice == screen_of(RECORDED, {})
    assert left_out(RECORDED | DANGEROUS, {"grant": ("camera",)}) == (
        "--chromium 'evil program' --user-data profile --storage-state state.json --http-auth 'me:{{secret:shop}}'"
    )
    assert left_out({"grant": ["a", "b"]}, {}) == "--grant a --grant b"
    assert left_out(DANGEROUS, {"desktop": True}) == ""
    shown = {"virtual": {"width_px": 640, "height_px": 480}, "start": "rm -r \x1b[2J~"}
    assert (screen_of(shown, {}).start, left_out(shown, {})) == (None, "--start 'rm -r  [2J~'")
    with pytest.raises(BadRequest, match="made with --attach http://localhost:9222: give that again"):
        screen_of({"attach": "http://localhost:9222"}, {})


def test_recorded_lists_of_origins_only_narrow() -> None:
    lists = RECORDED | {"allow": ["a"], "deny": ["b"]}
    assert (screen_of(lists, {}).allow, screen_of(lists, {}).deny) == (("a",), ("b",))
    assert screen_of(lists, {"deny": ("c", "b")}).deny == ("b", "c")
    asking = screen_of(lists, {}, asks=True)  # leaving the site is asked about
    assert (asking.allow, asking.deny, left_out(lists, {}, asks=True)) == ((), ("b",), "--allow a")


@pytest.mark.parametrize(
    "wrong", [{"viewport": "wide"}, {"viewport": {}}, {"monitor": 3, "url": None, "desktop": True}]
)
def test_a_screen_that_makes_no_sense_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="cannot be understood"):
        screen_of(RECORDED | wrong, {})


def test_what_was_asked_about_is_asked_about_again(tmp_path: Path) -> None:
    for number, (config, policy) in enumerate(
        [({"approve": "always"}, "always"), ({"approve": "perhaps"}, "never"), ({}, "never")]
    ):
        with Trajectory(tmp_path / str(number), goal="", config=config) as trajectory:
            trajectory.finish("finished")
        assert approval_of(read_trajectory(tmp_path / str(number))) == policy


def test_a_page_opened_elsewhere_stands_for_the_recorded_one() -> None:
    assert moved_pages({"url": "https://a.example/x"}, "http://localhost:8000/x") == {
        "https://a.example/x": "http://localhost:8000/x",
        "https://a.example": "http://localhost:8000",
    }
    assert moved_pages({"url": "https://a.example/x"}, "https://a.example/x") == {}
