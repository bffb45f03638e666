"""Recorded runs done again on pages that have changed. `replay_table.py` tries all of it; these are a few cells."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from moonhand.agent import Approval, RunResult, Skip, Trajectory, read_trajectory
from moonhand.agent.replay import ReplayConfig, accept, name_variable, read_patches, read_report, replay, replay_to_end
from moonhand.agent.replay.ladder import Locate
from moonhand.agent.target import Target
from moonhand.envs import BrowserEnv, Frame, Navigate
from replay_table import Mode, hits, judge, load, opened, record, replayed

pytestmark = pytest.mark.browser
SLOW = pytest.mark.slow  # beside others that are tried always
EXACT = ReplayConfig(mode="exact", speed=1000)
AT_ONCE = ReplayConfig(wait_s=0.3, heal_after_s=0.1, reads=False)


@dataclass(frozen=True)
class Desk:
    env: BrowserEnv
    address: str
    folder: Path

    def recorded(self, name: str) -> tuple[Path, list[str]]:
        """A recording of a page, made once, and what it hit."""
        folder, kept = self.folder / name, self.folder / f"{name}.hits"
        if not folder.exists():
            kept.write_text("\n".join(record(self.env, self.address, name, folder)))
        return folder, kept.read_text().split("\n")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Generator[Desk]:
    with opened() as (env, address):
        yield Desk(env, address, tmp_path_factory.mktemp("recorded"))


def again(
    desk: Desk,
    name: str,
    out: Path,
    config: ReplayConfig,
    *,
    change: Callable[[], object] = lambda: None,
    locate: Locate | None = None,
    ask: Callable[[str], str] | None = None,
    approve: Approval | None = None,
) -> tuple[RunResult, list[str]]:
    """Replay on the unchanged page, but for what `change` does to it first."""
    recorded, _ = desk.recorded(name)
    load(desk.env, desk.address, name, "unchanged")
    change()
    with Trajectory(out, goal="", source="replay", replay_of=str(recorded)) as trajectory:
        result = replay_to_end(
            read_trajectory(recorded), desk.env, trajectory, config, locate=locate, ask=ask, approve=approve
        )
    return result, hits(desk.env)


@pytest.mark.parametrize(
    ("name", "change", "mode", "verdict", "kind"),
    [
        ("tabs", "unchanged", "exact", "done", None),
        pytest.param("iframe", "unchanged", "anchored", "done", None, marks=SLOW),
        ("rows", "moved", "exact", "stopped", "moved"),  # by just one row
        ("rows", "moved", "anchored", "healed", "moved"),
        pytest.param("toolbar", "restyled", "anchored", "healed", "changed", marks=SLOW),
        pytest.param("canvas", "renamed", "anchored", "stopped", "changed", marks=SLOW),
        ("shadow", "delayed", "anchored", "done", "slow"),
        ("menu", "covered", "anchored", "stopped", "covered"),
        ("rows", "removed", "anchored", "stopped", "changed"),
        pytest.param("canvas", "removed", "exact", "stopped", "changed", marks=SLOW),
    ],
)
def test_a_target_is_followed_or_the_replay_stops(
    desk: Desk, tmp_path: Path, name: str, change: str, mode: Mode, verdict: str, kind: str | None
) -> None:
    recorded, right = desk.recorded(name)
    out = tmp_path / "replay"
    how = ReplayConfig(wait_s=5.0, reads=False) if change == "delayed" else AT_ONCE
    hit = replayed(desk.env, desk.address, name, change, mode, recorded, out, how)
    assert judge(out, hit, right, change)[0] == verdict
    report = read_report(out)
    assert report["divergence"] is None or report["divergence"]["kind"] == kind
    assert kind is None or kind in {step["kind"] for step in report["steps"]}
    again = read_trajectory(out)
    assert not again.problems
    assert again.source == "replay"
    if verdict == "stopped":
        assert again.result is not None
        assert again.result.status == "diverged"
        assert again.steps[-1].error == again.result.error
        assert again.steps[-1].after is None


def test_another_value_is_typed_and_the_rest_still_verified(desk: Desk, tmp_path: Path) -> None:
    recorded, right = desk.recorded("form")
    name_variable(read_trajectory(recorded), "email", 3)
    config = ReplayConfig(values={"email": "grace.hopper@navy.example"})
    result, hit = again(desk, "form", tmp_path / "replay", config)
    assert result.status == "finished", result.error
    assert hit == [*right[:-1], "email=grace.hopper@navy.example"]
    assert read_patches(result.path) == [], "nothing else had changed"


def test_what_lies_unseen_over_a_target_is_not_clicked(desk: Desk, tmp_path: Path) -> None:
    veil = "document.body.append(Object.assign(document.createElement('div'), {style: 'position: fixed; inset: 0'}))"
    for name, config in (("exact", EXACT), ("anchored", AT_ONCE)):
        result, hit = again(desk, "toolbar", tmp_path / name, config, change=lambda: desk.env.evaluate(veil))
        assert (result.status, hit) == ("diverged", [])
        assert (result.error or "").startswith("covered: ")


def test_a_lookalike_that_is_alone_now_is_not_clicked(desk: Desk, tmp_path: Path) -> None:
    """The row that was meant is gone, and another one stands in its place."""
    only = "document.querySelectorAll('li').forEach((row, at) => { if (at !== 3) row.remove() }); hits = []"
    result, hit = again(desk, "rows", tmp_path / "a", AT_ONCE, change=lambda: desk.env.evaluate(only))
    assert (result.status, hit) == ("diverged", [])


def test_text_goes_only_to_the_field_it_was_recorded_for(desk: Desk, tmp_path: Path) -> None:
    steal = "document.getElementById('name').addEventListener('focus', () => setTimeout(() => email.focus(), 0))"
    result, hit = again(desk, "form", tmp_path / "a", AT_ONCE, change=lambda: desk.env.evaluate(steal))
    assert (result.status, hit) == ("diverged", ["name"])
    assert result.error == "changed: textbox 'Name' had the focus, and now textbox 'Email'"


def test_another_page_is_told_by_its_name(desk: Desk, tmp_path: Path) -> None:
    def leave() -> None:
        desk.env.perform(Navigate(url=f"{desk.address}/cards.html"))

    result, hit = again(desk, "rows", tmp_path / "a", AT_ONCE, change=leave)
    assert (result.status, hit) == ("diverged", [])
    assert result.error == f"other page: it was done on {desk.address}/rows.html, and this is {desk.address}/cards.html"


@pytest.mark.parametrize(
    ("said", "status", "hit"),
    [("skip", "finished", []), ("", "diverged", []), ("here", "finished", ["square"]), ("20,20", "finished", ["h2"])],
)
def test_a_person_is_asked_at_a_divergence(desk: Desk, tmp_path: Path, said: str, status: str, hit: list[str]) -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return said

    def rename() -> None:
        desk.env.evaluate("rename(), hits = []")

    result, found = again(desk, "toolbar", tmp_path / "a", EXACT, change=rename, ask=ask)
    assert (result.status, found[: len(hit)] if said != "20,20" else hit) == (status, hit)
    assert asked[0].startswith("step 1, click (")
    assert "it was button 'Square' and is button 'Diamond'" in asked[0]
    assert len(read_patches(tmp_path / "a")) == (said in ("here", "20,20"))


def test_the_model_is_asked_last_and_its_place_is_checked(desk: Desk, tmp_path: Path) -> None:
    css = "margin: 90px 0 0 200px; filter: invert(1)"
    shift = f"document.querySelector('[role=toolbar]').style.cssText = '{css}', hits = []"
    asked: list[str] = []

    def locate(frame: Frame, instruction: str) -> Target:
        asked.append(instruction)
        x_px, y_px = desk.env.evaluate(f"place('[data-name={pointed}]')")
        return Target(
            instruction=instruction,
            x_px=x_px,
            y_px=y_px,
            size=frame.size,
            confidence=1,
            refused=False,
            raw="",
            model="",
        )

    config = ReplayConfig(mode="reground", wait_s=0.3, heal_after_s=0.3, reads=False)
    for pointed, status, hit in (("circle", "diverged", []), ("square", "finished", ["square"])):
        result, found = again(
            desk, "toolbar", tmp_path / pointed, config, change=lambda: desk.env.evaluate(shift), locate=locate
        )
        assert (result.status, found) == (status, hit), result.error
    assert set(asked) <= {"click Square"}


def test_accepted_steps_replay_exactly_where_they_were_healed(desk: Desk, tmp_path: Path) -> None:
    recorded, right = desk.recorded("cards")
    out = tmp_path / "healed"
    replayed(desk.env, desk.address, "cards", "moved", "anchored", recorded, out)
    assert accept(read_trajectory(out), read_trajectory(recorded), None, tmp_path / "copy") == [1]
    hit = replayed(desk.env, desk.address, "cards", "moved", "exact", tmp_path / "copy", tmp_path / "exact")
    assert judge(tmp_path / "exact", hit, right, "moved") == ("done", "")


@SLOW
def test_a_person_who_approves_each_step_may_leave_one_out(desk: Desk, tmp_path: Path) -> None:
    result, hit = again(
        desk, "toolbar", tmp_path / "a", AT_ONCE, approve=Approval("always", lambda request: Skip("not this"))
    )
    assert (result.status, hit) == ("finished", [])


def test_a_replay_that_is_left_ends_as_stopped(desk: Desk, tmp_path: Path) -> None:
    recorded, _ = desk.recorded("form")
    load(desk.env, desk.address, "form", "unchanged")
    trajectory = Trajectory(tmp_path / "a", goal="", source="replay")
    steps = replay(read_trajectory(recorded), desk.env, trajectory, AT_ONCE)
    next(steps)
    steps.close()
    assert trajectory.result is not None
    assert (trajectory.result.status, trajectory.result.steps) == ("stopped", 1)
    assert len(read_report(tmp_path / "a")["steps"]) == 1


def test_a_point_of_the_recording_is_kept_as_it_is_where_nothing_moved(desk: Desk, tmp_path: Path) -> None:
    recorded, _ = desk.recorded("toolbar")
    again(desk, "toolbar", tmp_path / "a", AT_ONCE)
    old, new = (read_trajectory(path).steps[0] for path in (recorded, tmp_path / "a"))
    assert old.action == new.action
    assert new.fingerprint == old.fingerprint
