"""Log-ins, permissions, downloads, and networks that fail."""

from __future__ import annotations

import base64
import re
import socket
import threading
import time
from collections.abc import Generator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from moonhand.envs import (
    Back,
    BrowserConfig,
    BrowserEnv,
    Click,
    EnvError,
    Navigate,
    PressKeys,
    Reload,
    Size,
    Unreachable,
    Wait,
)
from moonhand.envs.page_downloads import claim, safe_name

pytestmark = pytest.mark.browser

VIEWPORT = Size(320, 240)
CLICK = Click(x_px=100, y_px=100)
LINK = "<style>#go {{ position: fixed; inset: 0 }}</style><title>home</title><a id=go href='{}'>go</a>"
LOG_IN = "Basic " + base64.b64encode(b"me:correct horse").decode()


class Handler(BaseHTTPRequestHandler):
    got: list[tuple[str, str | None]]  # path, Authorization

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.got.append((path, self.headers.get("Authorization")))
        host = self.headers["Host"]
        evil = host.replace("127.0.0.1", "evil.localhost")
        match path:
            case "/private" if self.headers.get("Authorization") != LOG_IN:
                self.answer("sign in first", 401, WWW_Authenticate='Basic realm="shop"')
            case "/private":
                self.answer("<title>inside</title>")
            case "/elsewhere":
                self.answer(LINK.format(f"http://{evil}/private"))
            case "/files":
                self.answer(LINK.format("/file"))
            case "/file":
                self.answer("x" * 2000, Content_Disposition='attachment; filename="../.report.txt"')
            case "/named-files":
                self.answer(LINK.format("/named-file"))
            case "/named-file":
                self.answer("x" * 2000, Content_Disposition='attachment; filename="of correct_HORSE.bin"')
            case "/form":
                self.answer("<style>button { position: fixed; inset: 0 }</style><form method=post><button>Send")
            case "/slow-files":
                self.answer(LINK.format("/slow-file"))
            case "/slow-file":
                self.start(200, 2000, Content_Disposition='attachment; filename="slow.bin"')
                self.wfile.write(b"x" * 1000)
                self.wfile.flush()
                self.server.is_let_go.wait(10)  # pyright: ignore
                self.wfile.write(b"x" * 1000)
            case "/to-nowhere":
                self.answer(LINK.format("http://nowhere.invalid/"))
            case "/to-refused":
                self.answer(LINK.format("http://127.0.0.1:9/"))
            case "/to-secure":
                self.answer(LINK.format(f"https://{host}/"))
            case "/to-cut":
                self.answer(LINK.format("/cut"))
            case "/cut":
                self.start(200, 9000)
                self.wfile.write(b"<title>half</title>" + b"<p>half a page" * 10)
            case "/silent":
                self.server.is_let_go.wait(10)  # pyright: ignore
            case _:
                self.answer(LINK.format("/again"))

    def do_POST(self) -> None:
        self.answer(LINK.format("/file"))

    def answer(self, body: str, status: int = 200, **headers: str) -> None:
        self.start(status, len(body), **headers)
        self.wfile.write(body.encode())

    def start(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": "text/html", "Content_Length": str(length), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.got: list[tuple[str, str | None]] = []
        self.is_let_go = threading.Event()
        super().__init__(("127.0.0.1", 0), type("Handler", (Handler,), {"got": self.got}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.is_let_go.set()
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made") / "downloads"


@pytest.fixture(scope="module")
def trusted(chromium: str, server: Server, folder: Path) -> Generator[BrowserEnv]:
    """May log in, use the place and download; the rest of the web is open to it."""
    config = BrowserConfig(
        url=server.url,
        viewport=VIEWPORT,
        executable=chromium,
        http_auth=("me", "{{secret:shop}}"),
        secrets={"shop": "correct horse"}.get,
        permissions=("geolocation",),
        downloads=folder,
        settle_s=0.6,
        timeout_s=2,
    )
    with BrowserEnv(config) as env:
        yield env


@pytest.fixture(scope="module")
def plain(chromium: str, server: Server) -> Generator[BrowserEnv]:
    config = BrowserConfig(url=server.url, viewport=VIEWPORT, executable=chromium, settle_s=0.6, timeout_s=2)
    with BrowserEnv(config) as env:
        yield env


class TestLogIn:
    def test_is_given_to_the_site_the_run_began_on(self, trusted: BrowserEnv, server: Server) -> None:
        effect = trusted.perform(Navigate(url=f"{server.url}/private"))
        assert trusted.evaluate("document.title") == "inside"
        assert "horse" not in effect.detail

    def test_is_given_to_no_other_site(self, trusted: BrowserEnv, server: Server) -> None:
        trusted.perform(Navigate(url=f"{server.url}/elsewhere"))
        server.got.clear()
        effect = trusted.perform(CLICK)
        assert ("/private", None) in server.got
        assert ("/private", LOG_IN) not in server.got
        assert "wants a log-in (401): give the right one with --http-auth" in effect.detail
        assert trusted.evaluate("document.body.innerText") == "sign in first"

    def test_that_is_missing_is_told_of(self, plain: BrowserEnv, server: Server) -> None:
        assert (
            "wants a log-in (401): give the right one with --http-auth"
            in plain.perform(Navigate(url=f"{server.url}/private")).detail
        )

    def test_that_is_wrong_is_tried_once(self, chromium: str, server: Server) -> None:
        config = BrowserConfig(
            url=f"{server.url}/private", viewport=VIEWPORT, executable=chromium, http_auth=("me", "wrong")
        )
        server.got.clear()
        with BrowserEnv(config) as env:
            assert env.evaluate("document.body.innerText") == "sign in first"
            assert [path for path, _ in server.got].count("/private") == 2
            assert "wants a log-in (401)" in env.perform(Back()).detail


def test_a_page_that_came_of_a_form_is_sent_again_by_loading_it_again(plain: BrowserEnv, server: Server) -> None:
    plain.perform(Navigate(url=f"{server.url}/form"))
    assert plain.risks(Reload()) == frozenset()
    plain.perform(CLICK)
    plain.perform(CLICK)  # a download, after which the page is still the same
    for action in (Reload(), PressKeys(keys=("f5",)), PressKeys(keys=("ctrl", "r"))):
        assert plain.risks(action) == {"submit"}
    plain.perform(Navigate(url=f"{server.url}/form"))
    assert plain.risks(Reload()) == frozenset()


PLACE_JS = """new Promise((done) => navigator.geolocation.getCurrentPosition(
  () => done("given"), (error) => done(`error ${error.code}`), {timeout: 300}))"""


@pytest.mark.slow
def test_what_is_granted_is_granted_and_all_else_denied_at_once(
    trusted: BrowserEnv, plain: BrowserEnv, server: Server, chromium: str
) -> None:
    for env, place in ((trusted, "granted"), (plain, "denied")):
        env.perform(Navigate(url=server.url))
        states = [
            env.evaluate(f"navigator.permissions.query({{name: '{name}'}}).then((found) => found.state)")
            for name in ("geolocation", "notifications", "camera")
        ]
        assert states == [place, "denied", "denied"]
        assert env.evaluate("Notification.requestPermission()") == "denied"
    assert plain.evaluate(PLACE_JS) == "error 1"
    with (
        pytest.raises(EnvError, match=r"the permissions flying cannot be granted .* grant geolocation"),
        BrowserEnv(BrowserConfig(executable=chromium, permissions=("flying",))),
    ):
        pass


class TestDownloads:
    def test_are_kept_under_a_safe_name_of_their_own(self, trusted: BrowserEnv, server: Server, folder: Path) -> None:
        trusted.perform(Navigate(url=f"{server.url}/files"))
        first, second = trusted.perform(CLICK), trusted.perform(CLICK)
        names = sorted(path.name for path in folder.iterdir())
        assert len(names) == 2
        assert f"downloaded {folder / names[1]} (2000 bytes)" in first.detail + second.detail
        assert all(path.stat().st_size == 2000 for path in folder.iterdir())
        assert not any(name.startswith(".") or "/" in name for name in names)
        assert trusted.evaluate("document.title") == "home"

    def test_that_bear_a_secret_as_their_name_are_kept_under_its_name(
        self, trusted: BrowserEnv, server: Server, folder: Path
    ) -> None:
        trusted.perform(Navigate(url=f"{server.url}/named-files"))
        path = folder / "of {{secret_shop}}.bin"
        assert f"downloaded {path} (2000 bytes)" in trusted.perform(CLICK).detail
        assert path.exists()

    def test_are_cancelled_without_a_folder(self, plain: BrowserEnv, server: Server) -> None:
        plain.perform(Navigate(url=f"{server.url}/files"))
        effects = plain.perform(CLICK), plain.perform(Wait(seconds_s=1))  # the server may take longer than a click
        told = "".join(effect.detail for effect in effects)
        assert "was cancelled, for no folder is given for downloads (--downloads DIR)" in told
        assert plain.evaluate("document.title") == "home"

    def test_that_are_slow_are_told_of_while_they_run_and_when_they_end(
        self, trusted: BrowserEnv, server: Server, folder: Path
    ) -> None:
        server.is_let_go.clear()
        trusted.perform(Navigate(url=f"{server.url}/slow-files"))
        assert "slow.bin is still downloading" in trusted.perform(CLICK).detail
        server.is_let_go.set()
        assert f"downloaded {folder / 'slow.bin'} (2000 bytes)" in trusted.perform(Reload()).detail

    @pytest.mark.parametrize(
        ("suggested", "safe"),
        [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("..\\x\x00y", "_x_y"),
            (".bashrc", "bashrc"),
            ("con.txt", "download_con.txt"),
            ("...", "download"),
            ("", "download"),
            ("a" * 300 + ".tar", "a" * 116 + ".tar"),
        ],
    )
    def test_get_names_that_are_good_everywhere(self, suggested: str, safe: str) -> None:
        assert safe_name(suggested) == safe

    def test_never_take_the_place_of_a_file(self, tmp_path: Path) -> None:
        assert [claim(tmp_path, "a.txt").name for _ in range(3)] == ["a.txt", "a (1).txt", "a (2).txt"]
        assert [claim(tmp_path, "a").name for _ in range(2)] == ["a", "a (1)"]


class TestNetworks:
    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("to-nowhere", r"nowhere\.invalid/ could not be loaded whole \(net::ERR_NAME_NOT_RESOLVED\): there is no"),
            pytest.param(
                "to-refused",
                r"127\.0\.0\.1:9/ could not be loaded whole \(net::ERR_\w+\)",
                marks=pytest.mark.slow,  # always: one that cannot be found
            ),
            (
                "to-secure",
                r"https://127.* could not be loaded whole \(net::ERR_SSL_PROTOCOL_ERROR\): it speaks no proper",
            ),
            ("to-cut", r"/cut could not be loaded whole \(net::ERR_CONTENT_LENGTH_MISMATCH\): go back, or reload"),
        ],
    )
    def test_a_link_that_fails_is_told_of_and_one_can_go_back(
        self, plain: BrowserEnv, server: Server, path: str, reason: str
    ) -> None:
        plain.perform(Navigate(url=f"{server.url}/{path}"))
        effect = plain.perform(CLICK)
        assert re.search(reason, effect.detail), effect.detail
        plain.perform(Back())
        assert plain.url == f"{server.url}/{path}"

    def test_an_address_that_does_not_answer_is_unreachable(self, plain: BrowserEnv, server: Server) -> None:
        server.is_let_go.clear()
        start_s = time.monotonic()
        with pytest.raises(Unreachable, match="did not answer within 2 s"):
            plain.perform(Navigate(url=f"{server.url}/silent"))
        assert time.monotonic() - start_s < 5
        server.is_let_go.set()
        with closing(socket.create_server(("127.0.0.1", 0))) as unused:
            port = unused.getsockname()[1]
        with pytest.raises(Unreachable, match="ERR_CONNECTION_REFUSED"):
            plain.perform(Navigate(url=f"http://127.0.0.1:{port}/"))

    def test_a_server_that_goes_away_leaves_a_page_one_can_go_on_from(self, plain: BrowserEnv, server: Server) -> None:
        with Server() as other:
            thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            plain.perform(Navigate(url=other.url))
            other.shutdown()
            thread.join()
        assert "could not be loaded whole" in plain.perform(Reload()).detail
        assert plain.url == "chrome-error://chromewebdata/"
        plain.perform(Navigate(url=server.url))
        assert plain.evaluate("document.title") == "home"
