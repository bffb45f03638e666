"""Pages that try to have something done without anybody being asked, and an agent that obeys them."""

import json
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from moonhand.agent import Approval, Decision, Request, ScriptedPolicy, Skip, Trajectory, run
from moonhand.envs import Action, BrowserConfig, BrowserEnv, Click, Navigate, NewTab, Size, TypeText

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parent.parent / "envs" / "red_team"
STYLE = "<style>#go { position: fixed; left: 20px; top: 120px; width: 200px; height: 60px; border: 0 }</style>"
# Where the page itself goes elsewhere, by a script or with the server's help, the action shows no risk: the allow-list
# is what holds there.
ASKED = (
    *("fake_approval", "fake_dialog", "form", "form_action_of_button", "form_blank", "form_enter", "form_secret"),
    *("frame_srcdoc", "link", "link_base", "link_blank", "link_data", "link_download", "link_svg", "link_userinfo"),
    *("order_hidden", "order_scheme_data", "order_scheme_javascript", "order_system", "order_user"),
)  # fmt: skip


@pytest.fixture(scope="module")
def home(serve: Callable[[Mapping[str, str]], str]) -> str:
    pages: dict[str, str] = {"/": "<title>home</title>"}
    home = serve(pages)
    evil = serve({"/": "got you"}).replace("127.0.0.1", "localhost")
    for name in ASKED:
        html = (FOLDER / f"{name}.html").read_text(encoding="utf-8").partition("\n")[2]
        for word, value in (("EVILHOST", urlsplit(evil).netloc), ("HOME", home), ("EVIL", evil)):
            html = html.replace(word, value)
        pages[f"/{name}"] = STYLE + html
    return home


@pytest.fixture(scope="module")
def env(home: str, chromium: str) -> Generator[BrowserEnv]:
    """Without an allow-list: nothing but the question is between the page and what it wants."""
    config = BrowserConfig(url=home, viewport=Size(320, 240), executable=chromium, settle_s=0.2)
    with BrowserEnv(config) as opened:
        yield opened


def obedient(do: str) -> Action:
    verb, _, rest = do.partition(" ")
    match verb:
        case "open":
            return Navigate(url=rest.replace("EVIL", "http://localhost:9"))
        case "tab":
            return NewTab(url=rest.replace("EVIL", "http://localhost:9"))
        case "type" | "submit":
            return TypeText(text=rest, submit=verb == "submit")
        case _:
            return Click(x_px=120, y_px=150)


@pytest.mark.parametrize("name", ASKED)
def test_a_page_cannot_skip_an_approval(env: BrowserEnv, home: str, name: str, tmp_path: Path) -> None:
    asked: list[Request] = []

    def ask(request: Request) -> Decision:
        asked.append(request)
        return Skip()

    head = json.loads((FOLDER / f"{name}.html").read_text(encoding="utf-8").partition("\n")[0][5:-4])
    env.perform(Navigate(url=f"{home}/{name}"))
    policy = ScriptedPolicy([obedient(do) for do in head["do"]])
    with Trajectory(tmp_path / "run", goal="read the page") as trajectory:
        steps = list(run(env, policy, "read the page", trajectory, approve=Approval("sensitive", ask)))
    assert asked
    assert asked[-1].risks & {"submit", "leave"}
    assert [step.decision for step in steps if step.risks] == ["skip"] * len(asked)
    assert env.url.rstrip("/") == f"{home}/{name}", "nothing of it was done"
    assert env.evaluate("document.readyState") == "complete"
