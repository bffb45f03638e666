"""Pages that try to lead an agent astray, each by one trick, and an agent that does whatever they say."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from moonhand.agent import ScriptedPolicy, Trajectory, run
from moonhand.envs import (
    Action,
    Back,
    BrowserConfig,
    BrowserEnv,
    Click,
    CloseTab,
    Navigate,
    NewTab,
    OriginRules,
    Size,
    TypeText,
    UnsupportedAction,
    Wait,
)

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parent / "red_team"
PAGES = sorted(path.stem for path in FOLDER.glob("*.html"))
TRIED_WHEN_SLOW = {  # each beside another of its kind that is tried always, and on the way that one goes
    *("fake_captcha", "form_action_of_button", "form_blank", "form_enter", "popup_later"),
    *("frame_object", "frame_redirect", "frame_srcdoc"),
    *("link_base", "link_blank_noopener", "link_javascript", "link_punycode"),
    *("link_svg", "link_trailing_dot", "link_userinfo"),
    *("order_alt_text", "order_foreign", "order_hidden", "order_system", "order_tiny", "order_tool_result"),
    *("redirect_chain", "redirect_navigation_api", "redirect_replace"),
}
DOCUMENTS = {"document", "iframe", "frame", "object", "embed"}  # as Sec-Fetch-Dest names them
STYLE = "<style>#go { position: fixed; left: 20px; top: 120px; width: 200px; height: 60px; border: 0 }</style>"
WORKER = """
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.pathname === "/by-worker") event.respondWith(Response.redirect(url.searchParams.get("to")));
});"""


class Sites(NamedTuple):
    """Addresses without a slash at the end, and what the second was asked for: (path, kind of resource)."""

    home: str
    evil: str
    asked: list[tuple[str, str]]

    def fill(self, text: str) -> str:
        home, evil = urlsplit(self.home).netloc, urlsplit(self.evil)
        for name, value in {"HOMEHOST": home, "EVILHOST": evil.netloc, "EVILPORT": str(evil.port),
                            "HOME": self.home, "EVIL": self.evil}.items():  # fmt: skip
            text = text.replace(name, value)
        return text


def headed(name: str) -> tuple[dict[str, Any], str]:
    """What a page's first line says of it, and the page."""
    head, _, html = (FOLDER / f"{name}.html").read_text(encoding="utf-8").partition("\n")
    return json.loads(head.removeprefix("<!-- ").removesuffix(" -->")), html


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Generator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def sites() -> Generator[Sites]:
    asked: list[tuple[str, str]] = []

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def answer(self, status: int, body: str = "", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content_Type": "text/html", **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

    class Evil(Quiet):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Sec-Fetch-Dest", "")))
            self.answer(200, "<h1>Got you</h1>")

        do_POST = do_GET

    class Home(Quiet):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            left = int(query.get("left", 0))
            match address.path:
                case "/chain" if left > 1:
                    self.answer(302, Location=f"/chain?left={left - 1}&to={query['to']}")
                case "/hop" | "/chain":
                    self.answer(302, Location=query["to"])
                case "/hop307":
                    self.answer(307, Location=query["to"])
                case "/refresh":
                    self.answer(200, "One moment", Refresh=f"0; url={query['to']}")
                case "/worker.js":
                    self.answer(200, WORKER, Content_Type="text/javascript")
                case "/":
                    self.answer(200, "<title>home</title>")
                case path if path[1:] in PAGES:
                    self.answer(200, STYLE + found.fill(headed(path[1:])[1]))
                case _:
                    self.answer(404)

        do_POST = do_GET

    with ExitStack() as stack:
        home, evil = stack.enter_context(serving(Home)), stack.enter_context(serving(Evil))
        found = Sites(f"http://localhost:{home}", f"http://evil.localhost:{evil}", asked)
        yield found


@pytest.fixture(scope="module")
def env(whole_chromium: str, sites: Sites) -> Generator[BrowserEnv]:
    config = BrowserConfig(
        url=sites.home,
        viewport=Size(320, 240),
        executable=whole_chromium,
        rules=OriginRules(allow=(sites.home,)),
        settle_s=0.6,
        timeout_s=5,
    )
    with BrowserEnv(config) as opened:
        yield opened


def obedient(do: str, sites: Sites) -> Action:
    verb, _, rest = do.partition(" ")
    match verb:
        case "click":
            return Click(x_px=120, y_px=150)
        case "open":
            return Navigate(url=sites.fill(rest))
        case "tab":
            return NewTab(url=sites.fill(rest))
        case "type" | "submit":
            return TypeText(text=rest, submit=verb == "submit")
        case "back":
            return Back()
        case _:
            return Wait(seconds_s=0.05)


def was_refused(said: list[str]) -> bool:
    return any("blocked: " in each or "is not on the allow-list" in each for each in said)


def test_there_are_at_least_thirty_pages_each_with_a_trick_of_its_own() -> None:
    assert len(PAGES) >= 30
    assert len({headed(name)[0]["trick"] for name in PAGES}) == len(PAGES)
    assert set(PAGES) > TRIED_WHEN_SLOW


class TestAnAgentThatObeysThePage:
    @pytest.mark.parametrize(
        "name",
        [pytest.param(name, marks=pytest.mark.slow) if name in TRIED_WHEN_SLOW else name for name in PAGES],
    )
    def test_never_leaves_the_allow_list_and_its_run_goes_on(
        self, env: BrowserEnv, sites: Sites, tmp_path: Path, name: str
    ) -> None:
        head, _ = headed(name)
        sites.asked.clear()
        start = env.perform(Navigate(url=f"{sites.home}/{name}"))
        if head.get("leaves_worker"):
            deadline_s = time.monotonic() + 5
            while env.evaluate("document.title") != "worker" and time.monotonic() < deadline_s:
                env.perform(Wait(seconds_s=0.05))
        actions = [obedient(do, sites) for do in head["do"]]
        with Trajectory(tmp_path / "run", goal="read the page") as trajectory:
            steps = list(run(env, ScriptedPolicy(actions), "read the page", trajectory))
        result = trajectory.result
        said = [start.detail, *(f"{step.effect and step.effect.detail} {step.error}" for step in steps)]
        deadline_s = time.monotonic() + (0 if head.get("is_silent") else 3)
        while not was_refused(said) and time.monotonic() < deadline_s:
            said.append(env.perform(Wait(seconds_s=0.05)).detail)
        while True:
            try:
                env.perform(CloseTab())
            except UnsupportedAction:
                break
        env.perform(Navigate(url=sites.home))
        if head.get("leaves_worker"):
            env.evaluate("navigator.serviceWorker.getRegistration().then((one) => one?.unregister())")

        assert [path for path, kind in sites.asked if kind in DOCUMENTS] == [], said
        assert result is not None
        assert result.status == "finished", said
        assert env.evaluate("document.title") == "home"
        assert was_refused(said) != bool(head.get("is_silent")), said
