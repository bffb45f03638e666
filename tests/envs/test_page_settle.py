from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest
from moonhand.envs import Region
from moonhand.envs.page_settle import PageSettler
from moonhand.envs.settle import Settled
from playwright.sync_api import Browser, Dialog, Page, Route, sync_playwright

pytestmark = pytest.mark.browser

Serve = Callable[[Mapping[str, str]], str]
LIMIT_S = 5.0  # what never stops would take so long

BUTTON = """<!doctype html><meta charset=utf-8><style>body { margin: 0 } #go { width: 200px; height: 100px }
@keyframes turn { to { rotate: 1turn } } .spinner { animation: turn 1s linear infinite; width: 50px; height: 50px }
</style><button id=go>go</button><p id=out>-</p>"""
DONE = "const done = () => { out.textContent = 'done' };"
SPINNER = "<div class=spinner></div>"
FETCH = "go.onclick = () => fetch('/x?delay_s=0.3').then(done)"
CLOCK = "let ticks = 0; (function tick() { clock.textContent = ++ticks; requestAnimationFrame(tick) })();"

# What a click sets going, and what is waited for until it shows.
COMING: dict[str, tuple[str, str, str]] = {
    "a transition": (
        "",
        "go.ontransitionend = done; go.onclick = () => { go.style.cssText = 'transition: margin .3s; margin: 0 99px' }",
        "animations",
    ),
    "a timer": ("", "go.onclick = () => setTimeout(done, 300)", "timers"),
    "timers in timers": ("", "go.onclick = () => setTimeout(setTimeout, 150, setTimeout, 150, done, 150)", "timers"),
    "a text timer": ("", "window.done = done; go.onclick = () => setTimeout('done()', 200)", "timers"),
    "an answer beside a spinner": (SPINNER, FETCH, "requests"),
    "a picture": (
        "",
        "go.onclick = () => { const one = new Image(); one.onerror = done; one.src = '/x?delay_s=0.2' }",
        "requests",
    ),
    "scrolling": (
        "<div style='height: 3000px'></div>",
        "onscrollend = done; go.onclick = () => scrollTo({top: 300, behavior: 'smooth'})",
        "changes",
    ),
    "a drawing": (
        "<canvas id=sheet></canvas>",
        "let left = 20; const draw = () => { if (--left) requestAnimationFrame(draw); else done() }; go.onclick = draw",
        "animations",
    ),
    "a timer beside a clock": ("<p id=clock>", CLOCK + "go.onclick = () => setTimeout(done, 200)", "timers"),
    "a closed shadow root": (
        "<div id=host></div>",
        """const root = host.attachShadow({mode: "closed"}); root.innerHTML = "<b>-"; let left = 40;
        go.onclick = () => { const one = setInterval(() => { root.firstChild.textContent = left;
          if (!--left) { clearInterval(one); done() } }, 8) }""",
        "changes",
    ),
}

# What goes on for ever and holds nobody up; each counts its `ticks`.
ENDLESS: dict[str, str] = {
    "a clock drawn with every frame": CLOCK,
    "an interval": "let ticks = 0; setInterval(() => { clock.textContent = ++ticks }, 20);",
    "a timer that sets itself": "let ticks = 0; (function f() { clock.textContent = ++ticks; setTimeout(f, 40) })();",
    "a sleeping loop": """let ticks = 0; (async () => { for (;;) { clock.textContent = ++ticks;
        await new Promise((resolve) => setTimeout(resolve, 60)) } })();""",
    "polling": """let ticks = 0; (async function f() { await fetch('/x?delay_s=0.05&time=' + Date.now());
        ticks += 1; setTimeout(f, 100) })();""",
    "places that are made anew": """let ticks = 0; setInterval(() => { clock.innerHTML = '<i><b></b></i>'; ticks += 1;
        setTimeout(() => { clock.querySelector('b').textContent = ticks }, 5) }, 30);""",
    "a scrolling ticker": """let ticks = 0; clock.style.cssText = 'height: 20px; overflow: hidden';
        clock.innerHTML = '<div style="height: 5000px">'; setInterval(() => { clock.scrollTop = ++ticks }, 20);""",
}

NATIVE = """<!doctype html><script>
const {name, length} = setTimeout, seen = {text: `${setTimeout}`, name, length, id: typeof setTimeout(() => {}, 1)};
const error = (run) => { try { run() } catch (one) { return one.name } };
seen.errors = [error(() => setTimeout()), error(() => setTimeout.call({}, () => {}))];
setTimeout(function (...given) { seen.given = [given, this === window] }, 1, "a", 2);
setTimeout("seen.text_ran = true", 1);
clearTimeout(setTimeout(() => { seen.cleared = false }, 2));
clearTimeout(setInterval(() => { seen.cleared = false }, 2));
cancelAnimationFrame(requestAnimationFrame(() => { seen.cleared = false }));
clearTimeout(); clearTimeout("none");
let count = 0;
const every = setInterval((given) => { seen.every = given; if (++count == 3) clearInterval(every) }, 2, "b");
requestAnimationFrame((time) => { seen.frame = typeof time });
seen.keys = Object.keys(window).filter((key) => key.includes("moonhand"));
</script>"""

HOSTILE = (
    BUTTON
    + """<script>const later = setTimeout, show = document.getElementById("out");
for (const name of ["setTimeout", "requestAnimationFrame", "Promise", "MutationObserver", "queueMicrotask"])
  window[name] = () => { throw new Error(name) };
performance.now = () => 7; Math.max = Math.min = null; Function.prototype.toString = Set.prototype.add = () => 7;
document.getElementById("go").onclick = () => later(() => { show.textContent = "done" }, 300);</script>"""
)

REWRITTEN = (
    BUTTON
    + """<script>go.onclick = () => { document.open(); document.write("<p id=out>-"); document.close();
setTimeout(() => { out.textContent = "done" }, 200) }</script>"""
)

INNER = "<p id=out>-</p><script>onmessage = () => setTimeout(() => { out.textContent = 'done' }, 300)</script>"


def page_with(body: str, script: str) -> str:
    return f"{BUTTON}{body}<script>{DONE}{script}</script>"


def address(name: str) -> str:
    return "/" + name.replace(" ", "-")


class Watched:
    """A tab of its own, watched by a settler."""

    def __init__(self, browser: Browser, base: str, *, wraps: bool = True) -> None:
        self.context = browser.new_context(viewport={"width": 640, "height": 400})
        self.settler, self.base = PageSettler(wraps=wraps, scale=2.0), base
        self.settler.install(self.context)
        self.page: Page = self.context.new_page()

    def open(self, path: str) -> Settled:
        self.settler.begin(self.page)
        self.page.goto(path if ":" in path else self.base + path, wait_until="commit")
        return self.wait()

    def wait(self, limit_s: float = LIMIT_S) -> Settled:
        return self.settler.wait(lambda: self.context.pages[-1], limit_s)

    def click(self) -> tuple[Settled, float]:
        """And how long it took, in s."""
        self.settler.begin(self.page)
        start_s = time.perf_counter()
        self.page.mouse.click(100, 50)
        return self.wait(), time.perf_counter() - start_s

    @property
    def out(self) -> Any:
        return self.context.pages[-1].evaluate("document.getElementById('out').textContent")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Generator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def base(serve: Serve) -> str:
    pages = {address(name): page_with(body, script) for name, (body, script, _) in COMING.items()}
    pages |= {
        address(name): page_with("<p id=clock></p>", f"{script} go.onclick = done") for name, script in ENDLESS.items()
    }
    pages |= {
        "/static": page_with("", "go.onclick = done"),
        "/spinner": page_with(SPINNER, "go.onclick = done"),
        "/leaves": page_with("", "go.onclick = () => { location.href = '/arrived?delay_s=0.3' }"),
        "/opens": page_with("", "go.onclick = () => open('/arrived?delay_s=0.2')"),
        "/arrived": "<p id=out>-</p><script>setTimeout(() => { out.textContent = 'done' }, 200)</script>",
        "/asks": page_with("", "go.onclick = () => { confirm('Really?'); setTimeout(done, 200) }"),
        "/hangs": page_with("", "go.onclick = () => fetch('/x?delay_s=1.5')"),
        "/native": NATIVE,
        "/hostile": HOSTILE,
        "/rewritten": REWRITTEN,
        "/inner": INNER,
        "/words": page_with("", "go.onclick = () => { for (const one of '12345') fetch('/x?delay_s=0.2&n=' + one) }"),
        "/x": "x",
    }
    started = serve(pages)
    inner = started.replace("127.0.0.1", "localhost") + "/inner"  # another origin
    return serve(
        pages
        | {"/frame": page_with(f"<iframe src={inner}></iframe>", "go.onclick = () => frames[0].postMessage(1, '*')")}
    )


@pytest.fixture
def tab(browser: Browser, base: str) -> Generator[Watched]:
    watched = Watched(browser, base)
    yield watched
    watched.context.close()


def test_what_a_click_sets_going_is_waited_for(tab: Watched) -> None:
    for name, (_, _, reason) in COMING.items():
        tab.open(address(name))
        settled, took_s = tab.click()
        assert (name, tab.out, settled.is_still) == (name, "done", True)
        assert reason in settled.waited_for, name
        assert took_s < 3, name


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "a sleeping loop" else name for name in ENDLESS]
)
def test_what_never_stops_holds_nobody_up(tab: Watched, name: str) -> None:
    tab.page.goto(tab.base + address(name))
    tab.wait(0)  # a moment later somebody acts
    tab.page.wait_for_function("ticks > 5")
    settled, took_s = tab.click()
    assert (tab.out, settled.is_still) == ("done", True)
    assert took_s < 1, settled


def test_a_page_that_moves_from_its_beginning_is_left_after_a_while(tab: Watched) -> None:
    start_s = time.perf_counter()
    settled = tab.open(address("a clock drawn with every frame"))
    assert (settled.is_still, settled.num_moving) == (True, 1)
    assert time.perf_counter() - start_s < 3
    tab.settler.begin(tab.page)
    assert tab.wait().moving[0].width_px == 1280  # the clock, a paragraph, in px of the screenshot


def test_what_quick_actions_alone_change_counts_as_still(tab: Watched) -> None:
    tab.open("/static")
    tab.page.evaluate("go.onclick = () => { out.textContent += 'x'; go.title += 'x' }")
    start_s = time.perf_counter()
    while time.perf_counter() - start_s < 1.5:  # longer than what moves by itself is waited for
        settled, _ = tab.click()
        assert (settled.is_still, settled.num_moving, settled.moving) == (True, 0, ())


def test_a_still_page_is_left_at_once_and_a_spinner_told(tab: Watched) -> None:
    tab.open("/static")
    settled, took_s = tab.click()
    assert (settled, tab.out) == ((True, settled.waited_for, 0, ()), "done")
    assert took_s < 1
    tab.open("/spinner")
    settled, took_s = tab.click()
    assert (settled.is_still, settled.num_moving) == (True, 1)
    assert settled.moving[0].contains(Region(0, 300, 100, 100).center)
    assert took_s < 1


def test_the_page_that_a_click_leads_to_is_waited_for(tab: Watched) -> None:
    tab.open("/leaves")
    settled, _ = tab.click()
    assert (tab.out, settled.is_still) == ("done", True)
    assert "navigation" in settled.waited_for
    tab.open("/opens")
    with tab.context.expect_page():
        tab.page.mouse.click(100, 50)
    settled = tab.wait()
    assert (tab.out, settled.is_still) == ("done", True)


def test_several_answers_of_one_kind_are_waited_for_and_what_hangs_is_told(tab: Watched) -> None:
    tab.open("/words")
    settled, took_s = tab.click()
    assert ("requests" in settled.waited_for, settled.is_still) == (True, True)
    assert took_s >= 0.2
    tab.open("/hangs")
    tab.settler.begin(tab.page)
    tab.page.mouse.click(100, 50)
    settled = tab.wait(0.2)
    assert (settled.is_still, settled.waited_for, tab.settler.is_loading) == (False, ("requests",), True)
    tab.settler.begin(tab.page)  # what hangs since before is not waited for again
    assert tab.wait(0.5).is_still


def test_a_frame_of_another_origin_is_waited_for(tab: Watched) -> None:
    tab.open("/frame")
    settled, _ = tab.click()
    assert tab.page.frames[1].evaluate("out.textContent") == "done"
    assert "timers" in settled.waited_for


def test_pages_that_tamper_with_what_we_stand_on_are_waited_for(tab: Watched) -> None:
    for path in ("/hostile", "/rewritten"):
        tab.open(path)
        settled, took_s = tab.click()
        assert (path, tab.out, settled.is_still) == (path, "done", True)
        assert took_s < 3


def test_the_timers_of_a_page_behave_as_its_own(tab: Watched) -> None:
    tab.open("/native")
    tab.page.wait_for_function("seen.frame && seen.every && seen.given && count == 3")
    assert tab.page.evaluate("seen") == {
        "text": "function () { [native code] }", "name": "setTimeout", "length": 1, "id": "number",
        "errors": ["TypeError", "TypeError"], "given": [["a", 2], True], "text_ran": True, "every": "b",
        "frame": "number", "keys": [],
    }  # fmt: skip


def answering(text: str, headers: dict[str, str]) -> Callable[[Route], None]:
    return lambda route: route.fulfill(body=text, headers=headers)


@pytest.mark.parametrize("wraps", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_documents_of_any_kind_come_to_rest(browser: Browser, chromium: str, base: str, wraps: bool) -> None:
    tab = Watched(browser, base, wraps=wraps)
    kinds = {
        "/odd/sandbox": ("text/html", "sandbox", BUTTON),
        "/odd/strict": ("text/html", "default-src 'none'", BUTTON),
        "/odd/svg": ("image/svg+xml", "", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "/odd/xml": ("application/xml", "", "<a/>"),
        "/odd/text": ("text/plain", "", "words"),
        "/odd/frames": ("text/html", "", "<frameset cols=*><frame src=/x></frameset>"),
    }
    for path, (kind, policy, text) in list(kinds.items())[: None if wraps else 2]:
        headers = {"Content-Type": kind, "Content-Security-Policy": policy}
        tab.page.route(base + path, answering(text, headers))
        assert (path, tab.open(path).is_still) == (path, True)
        assert tab.click()[0].is_still, path
    for url in (
        "about:blank",
        *(() if "headless-shell" in chromium else ("chrome://version",)),
    ):  # it has no such pages
        assert (url, tab.open(url).is_still) == (url, True)
    tab.context.close()


def test_a_page_left_alone_is_waited_for_as_far_as_it_tells(browser: Browser, base: str) -> None:
    tab = Watched(browser, base, wraps=False)
    tab.open(address("an answer beside a spinner"))
    assert tab.page.evaluate("Object.getOwnPropertyDescriptor(window, 'setTimeout').value.toString()").startswith(
        "function setTimeout"
    )
    settled, _ = tab.click()
    assert (tab.out, "requests" in settled.waited_for) == ("done", True)
    tab.context.close()


def test_an_open_dialog_only_takes_time(tab: Watched) -> None:
    def meet(dialog: Dialog) -> None:
        tab.page.wait_for_timeout(300)
        dialog.accept()

    tab.page.on("dialog", meet)
    tab.open("/asks")
    settled, _ = tab.click()
    assert (tab.out, settled.is_still) == ("done", True)
