"""Pages that look as recorded and mean something else: a replay stops, or does the right thing."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from moonhand.agent import ScriptedPolicy, Trajectory, read_trajectory, run_to_end
from moonhand.agent.approval import Approval, Decision, Request, Yes
from moonhand.agent.replay import ReplayConfig, name_variable, replay_to_end
from moonhand.envs import Action, BrowserConfig, BrowserEnv, Click, Drag, Navigate, Point, PressKeys, Size, TypeText

pytestmark = pytest.mark.browser
SLOW = pytest.mark.slow  # beside others that are tried always
STYLE = (
    "<style>body{margin:0;font:16px sans-serif}.r{display:flex;justify-content:space-between;width:1240px;"
    "padding:14px}</style><script>var out=[]</script>"
)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Generator[BrowserEnv]:
    page = tmp_path_factory.mktemp("page") / "page.html"
    page.write_text("<!doctype html>")
    with BrowserEnv(BrowserConfig(url=page.as_uri(), viewport=Size(1280, 720))) as env:
        yield env


def rows(names: Sequence[str]) -> str:
    return "".join(
        f"<div class=r><span>{name}</span><button onclick=\"out.push('{name}')\">Delete</button></div>"
        for name in names
    )


def plans(names: Sequence[int]) -> str:
    buttons = "".join(f'<button style="padding:20px" onclick="out.push({name})">Plan {name}</button>' for name in names)
    return f"<p><input id=q aria-label=Quantity></p>{buttons}"


def board(names: Sequence[str]) -> str:
    card = "<div id=c style='margin-top:300px;width:300px;height:60px;background:#fd8'>Card</div>"
    columns = "".join(f"<div style='width:300px;height:600px' data-n={name}><b>{name}</b></div>" for name in names)
    script = "<script>onpointerup=e=>out.push(document.elementFromPoint(e.clientX,e.clientY).dataset.n)</script>"
    return f"<div style='display:flex'>{card}{columns}</div>{script}"


def places(ids: Sequence[str], words: Sequence[str] = ("", "")) -> str:
    """Two places that look alike, under something that can be dragged there."""
    card = "<div id=card style='width:200px;height:60px;background:#fd8'>Card</div>"
    boxes = "".join(
        f"<div id={id} style='width:280px;height:100px;margin:20px;border:2px solid #888'>{said}</div>"
        for id, said in zip(ids, words, strict=True)
    )
    script = "<script>onpointerup=e=>out.push(document.elementFromPoint(e.clientX,e.clientY).id)</script>"
    return f"{card}<div style='display:flex'>{boxes}</div>{script}"


def mails(names: Sequence[str]) -> str:
    said = "".join(f"<p>{name}</p>" for name in names)
    return f"{said}<script>onkeydown=e=>out.push(document.querySelector('p').textContent)</script>"


def preview(said: str) -> str:
    """A field whose text shows beside a button too, for which `said` is a script."""
    return (
        f"<div class=r><input id=to aria-label=Name oninput='said.textContent = {said}'></div>"
        "<div class=r><b id=said>nobody</b><button id=send onclick='out.push(said.textContent)'>Send</button></div>"
    )


def wide(top_px: int, left_px: int) -> str:
    """A field wider than what is compared of it, and told where in it the pointer went."""
    style = f"box-sizing:border-box;position:absolute;top:{top_px}px;left:{left_px}px;width:1000px;height:30px"
    return f"<input id=to aria-label=Note style='{style}' onclick='out.push(event.offsetX)'>"


def clobbered(page: str) -> str:
    """The page, and a script that takes away what ours would use, if it were one of the page's."""
    names = "['querySelectorAll', 'getAttribute', 'getBoundingClientRect', 'closest', 'matches', 'getRootNode']"
    return (
        f"{page}<form style='position:absolute;top:600px'><input name=id><input name=parentNode></form><script>"
        f"for (const name of {names}) Element.prototype[name] = () => null;"
        "Object.defineProperty(Node.prototype, 'textContent', {get: () => 'Bob', configurable: true});"
        "Document.prototype.elementFromPoint = () => null; Array.prototype.map = Array.prototype.filter = () => [];"
        "Object.getOwnPropertyDescriptor = () => ({}); JSON.stringify = () => '{}'; window.Element = window.Node = 0;"
        "String.prototype.replace = () => 'x'; Object.defineProperty(document, 'title', {get: () => 'other'});"
        "</script>"
    )


def fields(which: str) -> str:
    return f"<input id=from> <input id=to><script>onkeydown=e=>{{if(e.key=='F2')window['{which}'].focus()}}</script>"


def replayed(
    env: BrowserEnv,
    folder: Path,
    then: str,
    now: str,
    actions: Sequence[Action],
    values: dict[str, str] | None = None,
    approve: Approval | None = None,
) -> tuple[str, str]:
    """The status, and what was hit."""
    page = folder / "page.html"
    page.write_text(f"<!doctype html>{STYLE}{then}")
    env.perform(Navigate(url=page.as_uri()))
    with Trajectory(folder / "rec", goal="") as trajectory:
        run_to_end(env, ScriptedPolicy(actions), "", trajectory)
    for name in values or {}:
        name_variable(read_trajectory(folder / "rec"), name, 1)
    page.write_text(f"<!doctype html>{STYLE}{now}")
    env.perform(Navigate(url=page.as_uri()))
    config = ReplayConfig(wait_s=0.2, heal_after_s=0.1, reads=False, values=values or {})
    with Trajectory(folder / "out", goal="", source="replay") as trajectory:
        result = replay_to_end(read_trajectory(folder / "rec"), env, trajectory, config, approve=approve)
    said = env.evaluate("out.join() + [...document.querySelectorAll('#from, #to')].map(i => i.value).join('')")
    return result.status, said


DELETE = (Click(x_px=1227, y_px=24),)
PLAN = (Click(x_px=60, y_px=26), TypeText(text="1"), Click(x_px=40, y_px=85))
DRAG = (Drag(path=(Point(150, 330), Point(300, 400), Point(450, 500))),)
NAME = (Click(x_px=60, y_px=25), TypeText(text="Ada"), Click(x_px=1230, y_px=75))
FIELD = (Click(x_px=600, y_px=25), TypeText(text="5"))
DROP = (Drag(path=(Point(60, 30), Point(100, 80), Point(140, 130))),)


@pytest.mark.parametrize(
    ("then", "now", "actions", "values", "right"),
    [
        (rows(["Alice", "Bob"]), rows(["Zed", "Bob"]), DELETE, {}, ("diverged", "")),
        (plans([1, 2]), plans([1, 2]), PLAN, {"qty": "2"}, ("finished", "1")),
        (board(["Done", "Rejected"]), board(["Rejected", "Done"]), DRAG, {}, ("diverged", "")),
        pytest.param(places(["keep", "bin"]), places(["keep", "bin"]), DROP, {}, ("finished", "keep"), marks=SLOW),
        (places(["keep", "bin"]), places(["bin", "keep"]), DROP, {}, ("diverged", "")),  # which look the same
        (places(["keep", "bin"]), f"<br>{places(['keep', 'bin'])}", DROP, {}, ("finished", "keep")),  # moved
        pytest.param(places(["keep", "bin"]), f"<br>{places(['bin', 'keep'])}", DROP, {}, ("diverged", ""), marks=SLOW),
        (preview("value"), preview("value"), NAME, {"name": "Grace"}, ("finished", "GraceGrace")),
        (preview("value"), preview('"Adam"'), NAME, {"name": "Grace"}, ("diverged", "Grace")),
        pytest.param(
            clobbered(rows(["Ann", "Bob"])),
            clobbered(rows(["Ann", "Bob"])),
            DELETE,
            {},
            ("finished", "Ann"),
            marks=SLOW,
        ),
        pytest.param(rows(["Ann", "Bob"]), clobbered(rows(["Zed", "Bob"])), DELETE, {}, ("diverged", ""), marks=SLOW),
        (rows(["Ann"]), clobbered(f"<br>{rows(['Ann'])}"), DELETE, {}, ("finished", "Ann")),
        (wide(10, 100), wide(163, 217), FIELD, {}, ("finished", "4985")),  # not slipped along it
        (mails(["spam", "boss"]), mails(["boss", "spam"]), (PressKeys(keys=("delete",)),), {}, ("diverged", "")),
        (fields("from"), fields("to"), (PressKeys(keys=("f2",)), TypeText(text="5")), {}, ("diverged", "")),
    ],
    ids=[
        "row",
        "typed",
        "drag",
        "drop",
        "drop swapped",
        "drop moved",
        "drop moved and swapped",
        "shown elsewhere",
        "shown wrong",
        "clobbered",
        "clobbered row",
        "clobbered moved",
        "along",
        "keys",
        "focus",
    ],
)
def test_what_means_something_else_is_not_touched(
    env: BrowserEnv,
    tmp_path: Path,
    then: str,
    now: str,
    actions: Sequence[Action],
    values: dict[str, str],
    right: tuple[str, str],
) -> None:
    assert replayed(env, tmp_path, then, now, actions, values) == right


def test_what_changes_while_somebody_is_asked_is_not_touched(env: BrowserEnv, tmp_path: Path) -> None:
    page = "<p>row</p><button id=b style='width:200px;height:50px' onclick='out.push(1)'>Keep</button>"

    def ask(request: Request) -> Decision:
        env.evaluate("document.getElementById('b').textContent = 'Wipe'")
        return Yes()

    click = (Click(x_px=100, y_px=75),)
    assert replayed(env, tmp_path, page, page, click, approve=Approval("always", ask)) == ("diverged", "")
