"""What a page would do is known before it does it, and what it must not show is covered."""

import json
import re
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from moonhand.envs import (
    Action,
    AnswerDialog,
    BrowserConfig,
    BrowserEnv,
    Click,
    CloseTab,
    DialogOpen,
    Drag,
    EnvError,
    Frame,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    OriginRules,
    Point,
    PressKeys,
    SetClipboard,
    Size,
    SwitchTab,
    TypeText,
    UnsupportedAction,
    Upload,
)
from moonhand.envs.blur import COVER

pytestmark = pytest.mark.browser

VALUE = 'hunter2 <&"/\u00e4>'
SIZE = Size(640, 480)
STYLE = "<style>* { margin: 0 } .at { position: absolute; height: 20px }</style>"


def at(left: int, top: int, html: str) -> str:
    """Something 20 px high with its middle near (left + 10, top + 10)."""
    return f'<div class=at style="left:{left}px;top:{top}px">{html}</div>'


RISKY = STYLE + "".join(
    (
        at(0, 0, "<form action=/thanks><input name=q value=x size=2><button>Send <b>it</b></button></form>"),
        at(0, 30, "<form action='http://localhost:9/x'><input type=image style='width:20px;height:20px'></form>"),
        at(0, 60, "<form><button type=button>just a button</button></form>"),
        at(0, 90, "<form method=dialog><button>close</button></form>"),
        at(0, 120, "<a href='/other'>a page of ours</a>"),
        at(0, 150, "<a href='http://localhost:9/'><i>another</i> site</a>"),
        at(0, 180, "<a href='/report.pdf'>a file</a>"),
        at(0, 210, "<a href='/other' download>kept</a>"),
        at(0, 240, "<a href='mailto:a@example.com'>write</a>"),
        at(0, 270, "<svg width=40 height=20><a href='http://localhost:9/'><rect width=40 height=20 /></a></svg>"),
        at(0, 300, "<form id=clobbered action='http://localhost:9/'><input name=action hidden><input name=getAttribute"
           " hidden><input name=parentNode hidden><button>Send</button></form>"),
        at(0, 330, "<form id=far action=/thanks></form><label><input type=submit form=far hidden id=z>label</label>"),
        at(0, 360, "<x-open><span>slotted</span></x-open>"),
        at(0, 390, "<x-closed></x-closed>"),
        at(0, 420, "<textarea rows=1></textarea>"),
        at(150, 180, "<a href='/setup.dmg'>a program</a>"),
        at(150, 210, "<form><input type=submit value=file></form>"),
        at(150, 270, "<svg width=40 height=20><defs><g id=g><a href='http://localhost:9/'><rect width=40 height=20 />"
           "</a></g></defs><use href=#g /></svg>"),
        at(300, 0, "<iframe width=200 height=60 srcdoc='<style>*{margin:0}</style><form><button>in</button></form>'>"
           "</iframe>"),
        at(300, 100, "<iframe width=200 height=60 src='OTHER/inner'></iframe>"),
    )
) + """<script>
  const open = document.querySelector("x-open").attachShadow({mode: "open"});
  open.innerHTML = "<form><button><slot></slot></button></form>";
  const closed = document.querySelector("x-closed").attachShadow({mode: "closed"});
  closed.innerHTML = "<form action='http://localhost:9/'><button>hidden from scripts</button></form>";
  document.elementFromPoint = () => document.body;
  Element.prototype.closest = Element.prototype.matches = () => null;
  Object.defineProperty(Document.prototype, "activeElement", {get: () => document.body});
</script>"""  # fmt: skip

ECHO = (
    STYLE
    + "".join(
        (
            at(10, 10, "<form action=/echo><input id=shown name=q size=8> <button>Go</button></form>"),
            at(10, 40, "<input type=password id=dots size=12>"),
            at(10, 70, "<p id=text style='white-space:pre'></p>"),
            at(10, 100, "<input id=other size=8>"),
            at(10, 130, "<x-closed></x-closed>"),
            at(10, 160, "<p id=upper style='text-transform:uppercase'></p>"),
            at(10, 190, "<p id=styled></p><style>#styled::before { content: attr(data-is) }</style>"),
            at(10, 220, "<iframe width=300 height=30 srcdoc='<p id=in style=margin:0></p>'></iframe>"),
            at(10, 260, "<iframe width=300 height=30 src='OTHER/listens'></iframe>"),
            at(10, 300, "<p style='transform:rotate(10deg);display:inline-block' id=turned></p>"),
        )
    )
    + """<script>
  const closed = document.querySelector("x-closed").attachShadow({mode: "closed"});
  closed.innerHTML = "<p style=margin:0></p>";
  function echo(value) {
    document.title = value;
    for (const id of ["text", "upper", "turned"]) document.getElementById(id).textContent = value;
    document.getElementById("other").value = value;
    closed.firstChild.textContent = value;
    styled.dataset.is = value;
    frames[0].document.getElementById("in").textContent = value;
    frames[1].postMessage(value, "*");
    history.replaceState(null, "", "?q=" + encodeURIComponent(value));
  }
  const dots = document.getElementById("dots"), shown = document.getElementById("shown");
  dots.addEventListener("input", () => echo(dots.value));
</script>"""
)

PAGES = {
    "/risky": RISKY,
    "/echo": ECHO,
    "/other": "<title>other</title><input autofocus>",
    "/slow": STYLE + at(0, 0, "<button>x</button>") + "<script>addEventListener('mousemove', () => "
    "setTimeout(() => { const end = performance.now() + 1500; while (performance.now() < end); }))</script>",
    "/grabbed": STYLE
    + at(10, 10, "<input size=8 onblur='setTimeout(() => this.focus())'>")
    + at(10, 50, "<iframe src='OTHER/grabs'></iframe>")
    + "<script>let stolen = ''; onmessage = (event) => { stolen = event.data }</script>",
    "/grabs": "<input><script>const input = document.querySelector('input');"
    "input.oninput = () => parent.postMessage(input.value, '*');"
    "setInterval(() => { input.focus(); setTimeout(() => { input.blur(); parent.focus() }, 5) }, 11)</script>",
    "/inner": "<style>*{margin:0}</style><form><button>from elsewhere</button><input size=5></form>",
    "/listens": "<style>*{margin:0}</style><p></p><script>onmessage = (event) => "
    "document.querySelector('p').textContent = event.data</script>",
}


class Sites:
    """One address for the run, and the same server under another name."""

    def __init__(self, serve: Callable[[Mapping[str, str]], str]) -> None:
        elsewhere = serve(PAGES).replace("127.0.0.1", "localhost")
        self.here = serve({path: html.replace("OTHER", elsewhere) for path, html in PAGES.items()})
        self.elsewhere = elsewhere


@pytest.fixture(scope="module")
def sites(serve: Callable[[Mapping[str, str]], str]) -> Sites:
    return Sites(serve)


@pytest.fixture(scope="module")
def page(sites: Sites, chromium: str) -> Generator[BrowserEnv]:
    secrets = {"shop": VALUE, "pin": "07"}.get
    config = BrowserConfig(url=f"{sites.here}/risky", viewport=SIZE, executable=chromium, secrets=secrets)
    with BrowserEnv(config) as env:
        yield env


def click(x_px: float, y_px: float) -> Click:
    return Click(x_px=x_px, y_px=y_px)


def test_what_lies_at_a_place_is_known_before_it_is_clicked(page: BrowserEnv, sites: Sites) -> None:
    page.perform(Navigate(url=f"{sites.here}/risky"))
    found: dict[str, str] = {}
    for name, place in {
        "submit button": (45, 10), "text in it": (72, 10), "image": (10, 40), "button": (10, 70), "dialog": (10, 100),
        "link": (10, 130), "link away": (10, 160), "file": (10, 190), "download": (10, 220), "mail": (10, 250),
        "svg": (10, 280), "clobbered": (10, 310), "label": (10, 340), "slotted": (20, 370), "closed": (20, 400),
        "program": (160, 190), "used": (170, 280), "nothing": (600, 470), "frame": (310, 10),
        "frame elsewhere": (310, 110),
    }.items():  # fmt: skip
        found[name] = " ".join(sorted(page.risks(click(*place))))
    assert found == {
        "submit button": "submit", "text in it": "submit", "image": "leave submit", "button": "", "dialog": "",
        "link": "", "link away": "leave", "file": "download", "download": "download", "mail": "leave",
        "svg": "leave", "clobbered": "leave submit", "label": "submit", "slotted": "submit", "closed": "leave submit",
        "program": "download", "used": "leave", "nothing": "", "frame": "submit", "frame elsewhere": "leave submit",
    }  # fmt: skip


def test_there_is_no_way_around_in_pieces(page: BrowserEnv, sites: Sites) -> None:
    page.perform(Navigate(url=f"{sites.here}/risky"))
    button = Point(45, 10)
    assert page.risks(MouseDown(x_px=45, y_px=10)) == {"submit"}
    assert page.risks(Drag(path=(button, Point(46, 10)))) == {"submit"}
    assert page.risks(Drag(path=(Point(600, 470), button))) == {"submit"}
    assert page.risks(Click(x_px=10, y_px=160, button="middle")) == {"leave"}
    assert page.risks(Click(x_px=10, y_px=160, button="right")) == frozenset()
    page.perform(Move(x_px=45, y_px=10))
    assert page.risks(MouseDown()) == {"submit"}
    assert page.risks(MouseUp()) == {"submit"}
    page.perform(click(600, 470))
    assert page.risks(MouseUp()) == frozenset()
    assert page.risks(Upload(paths=("x",), x_px=160, y_px=220)) == {"upload", "submit"}, "it is clicked"
    page.perform(KeyDown(key="ctrl"))
    assert page.risks(PressKeys(keys=("w",))) == {"shell"}
    assert page.risks(TypeText(text="w")) == {"shell"}
    page.perform(KeyUp(key="ctrl"))
    assert page.risks(PressKeys(keys=("w",))) == frozenset()


def test_keys_are_judged_by_what_has_the_focus(page: BrowserEnv, sites: Sites) -> None:
    page.perform(Navigate(url=f"{sites.here}/risky"))
    space, enter = PressKeys(keys=("space",)), PressKeys(keys=("enter",))
    page.perform(click(10, 430))
    assert page.risks(TypeText(text="two words")) == frozenset()
    assert page.risks(space) == frozenset()
    page.perform(click(10, 10))
    assert page.risks(space) == frozenset(), "it is a letter in a field"
    page.perform(PressKeys(keys=("tab",)))
    assert page.risks(space) == {"submit"}
    assert page.risks(TypeText(text=" ")) == {"submit"}
    assert page.risks(KeyDown(key="space")) == page.risks(KeyUp(key="space")) == {"submit"}
    page.perform(PressKeys(keys=("tab",)))
    assert page.risks(space) == {"submit", "leave"}
    assert page.risks(enter) == page.risks(KeyDown(key="enter")) == {"submit", "leave"}
    page.evaluate("closed.querySelector('button').focus()")
    assert page.risks(space) == page.risks(KeyUp(key="space")) == {"submit", "leave"}, "in a closed shadow root"
    page.perform(click(420, 110))  # a field in a frame of another process
    assert page.risks(space) == frozenset()
    assert page.risks(enter) == {"submit", "leave"}


@pytest.mark.parametrize("action", [Navigate, NewTab])
def test_an_address_elsewhere_leaves_the_site(page: BrowserEnv, sites: Sites, action: Callable[..., Action]) -> None:
    assert page.risks(action(url=f"{sites.here}/x?y")) == frozenset()
    for url in (sites.elsewhere, "data:text/html,x", "javascript:1", "https://127.0.0.1/", "about:blank", "http://["):
        assert page.risks(action(url=url)) == {"leave"}
    assert page.risks(action(url=f"{sites.here}/x.zip")) == {"download"}


def shows(frame: Frame, left: int, top: int) -> bool:
    """Whether the 20 px high line there has anything but the cover and the ground."""
    line_HW3 = frame.pixels_HW3[top + 2 : top + 18, left + 2 : left + 60]
    return not (line_HW3 == line_HW3[0, 0]).all()


PLACES = {
    "field": (12, 12), "dots": (12, 42), "text": (10, 72), "other": (12, 102), "closed": (10, 132),
    "upper": (10, 162), "styled": (10, 192), "frame": (14, 224), "frame elsewhere": (14, 262), "turned": (10, 300),
}  # fmt: skip


def test_a_secret_shows_nowhere_on_a_page_that_repeats_it_everywhere(page: BrowserEnv, sites: Sites) -> None:
    """Beside the same page with another text of the same length, which does show."""
    frames: list[Frame] = []
    effects: list[str] = []
    for text in ("{{secret:shop}}", "plain text 123"):
        page.perform(Navigate(url=f"{sites.here}/echo"))
        for place in ((20, 20), (20, 50)):
            page.perform(click(*place))
            effects.append(page.perform(TypeText(text=text)).detail)
        frames.append(page.observe())
        effects.append(page.perform(PressKeys(keys=("end",))).detail)
        frames.append(page.observe())
    secret, secret_later, plain, _ = frames
    assert {name: shows(plain, *place) for name, place in PLACES.items()} == dict.fromkeys(PLACES, True)
    assert {name: shows(secret, *place) for name, place in PLACES.items()} == dict.fromkeys(PLACES, False)
    assert (secret.pixels_HW3[22, 20] == COVER).all()
    assert not secret.differs_from(secret_later)
    page.perform(Navigate(url=f"{sites.here}/echo"))
    page.perform(click(20, 50))
    assert page.perform(TypeText(text="{{secret:shop}}")).detail.startswith("type '{{secret:shop}}'")
    assert page.url == f"{sites.here}/echo?q={{{{secret:shop}}}}"
    assert page.evaluate("[document.title, {a: dots.value}]") == ["{{secret:shop}}", {"a": "{{secret:shop}}"}]
    page.perform(click(20, 20))
    page.perform(TypeText(text="{{secret:shop}}", submit=True))
    assert page.url == f"{sites.here}/echo?q={{{{secret:shop}}}}"
    page.perform(NewTab())
    told = page.perform(SwitchTab(index=0)).detail
    page.perform(CloseTab(index=1))
    assert "?q={{secret:shop}}" in told
    assert "hunter2" not in json.dumps([effects, told])


def test_a_field_stays_covered_when_only_a_part_of_the_secret_is_left(page: BrowserEnv, sites: Sites) -> None:
    page.perform(Navigate(url=f"{sites.here}/echo"))
    page.perform(click(20, 20))
    page.perform(TypeText(text="{{secret:shop}}"))
    page.perform(PressKeys(keys=("backspace",), repeat=3))
    assert page.evaluate("shown.value") == VALUE[:-3]
    assert not shows(page.observe(), *PLACES["field"])
    page.perform(SetClipboard(text="{{secret:shop}}"))
    page.perform(click(20, 110))
    page.perform(KeyDown(key="ctrl"))
    page.perform(KeyDown(key="v"))
    for key in ("v", "ctrl"):
        page.perform(KeyUp(key=key))
    page.perform(PressKeys(keys=("home",)))
    page.perform(PressKeys(keys=("delete",)))
    assert page.evaluate("document.querySelector('#other').value") == VALUE[1:]
    assert not shows(page.observe(), *PLACES["other"])
    page.perform(SetClipboard(text="plain text 123"))
    page.perform(Navigate(url=f"{sites.here}/echo"))
    page.perform(click(20, 110))
    page.perform(PressKeys(keys=("ctrl", "v")))
    assert shows(page.observe(), *PLACES["other"]), "what is no secret is not covered"


def test_what_an_alert_or_the_clipboard_repeats_is_masked(page: BrowserEnv, sites: Sites) -> None:
    page.perform(Navigate(url=f"{sites.here}/echo"))
    page.perform(click(20, 20))
    page.perform(TypeText(text="{{secret:shop}}"))
    page.evaluate("void shown.addEventListener('keydown', () => alert('it is ' + shown.value))")
    effect = page.perform(PressKeys(keys=("shift",)))
    assert "accepted alert 'it is {{secret:shop}}'" in effect.detail
    page.perform(PressKeys(keys=("ctrl", "a")))
    page.perform(PressKeys(keys=("ctrl", "c")))
    assert page.perform(GetClipboard()).answer == "{{secret:shop}}"
    with pytest.raises(EnvError, match=r"\{\{secret:shop\}\}") as caught:
        page.evaluate(f"(() => {{ throw new Error({json.dumps(VALUE)}) }})()")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_secret_is_typed_only_where_the_run_began(page: BrowserEnv, sites: Sites) -> None:
    page.perform(Navigate(url=f"{sites.here}/risky"))
    page.perform(click(420, 110))  # a field in a frame from elsewhere
    with pytest.raises(UnsupportedAction, match=r"this is http://localhost:.* with --allow ORIGIN"):
        page.perform(TypeText(text="{{secret:shop}}"))
    page.perform(SetClipboard(text="{{secret:shop}}"))
    pastes = (KeyDown(key="v"), TypeText(text="v"), PressKeys(keys=("v",)), PressKeys(keys=("shift", "V")))
    page.perform(KeyDown(key="ctrl"))
    for action in pastes:
        with pytest.raises(UnsupportedAction, match="only on the site where the run began"):
            page.perform(action)
    page.perform(KeyUp(key="ctrl"))
    assert "the clipboard held a secret" in page.perform(Navigate(url=f"{sites.elsewhere}/other")).detail
    assert page.perform(GetClipboard()).answer == ""
    for action in (TypeText(text="{{secret:shop}}"), PressKeys(keys=("ctrl", "v"))):
        with pytest.raises(UnsupportedAction, match="only on the site where the run began"):
            page.perform(action)
    page.perform(KeyDown(key="ctrl"))
    for action in pastes:
        with pytest.raises(UnsupportedAction, match="only on the site where the run began"):
            page.perform(action)
    page.perform(KeyUp(key="ctrl"))
    with pytest.raises(UnsupportedAction, match="only on the site where the run began"):
        page.perform(Click(x_px=10, y_px=10, button="middle"))  # which pastes what was selected, on X
    assert page.evaluate("document.querySelector('input').value") == ""
    page.perform(Navigate(url=f"{sites.here}/risky"))
    with pytest.raises(UnsupportedAction, match=r"no secret 'none': set MOONHAND_SECRET_NONE"):
        page.perform(TypeText(text="{{secret:none}}"))


def test_no_frame_from_elsewhere_gets_a_secret_by_taking_the_focus(page: BrowserEnv, sites: Sites) -> None:
    page.perform(Navigate(url=f"{sites.here}/grabbed"))
    page.perform(click(200, 150))  # from now on the frame may take the focus by itself
    for _ in range(3):
        page.perform(click(20, 20))
        with suppress(UnsupportedAction):  # the frame had the focus
            page.perform(TypeText(text="{{secret:shop}}"))
    assert page.evaluate("[stolen, [...document.querySelector('input').value].length % 14]") == ["", 0]
    page.perform(Navigate(url=f"{sites.here}/other"))  # these frames would fight on beside the tests that follow


def test_an_allow_list_says_where_else_secrets_belong(sites: Sites, chromium: str) -> None:
    rules = OriginRules(allow=(sites.here, sites.elsewhere))
    config = BrowserConfig(
        url=f"{sites.here}/other", viewport=SIZE, device_scale=2, executable=chromium, rules=rules,
        secrets={"shop": VALUE}.get, dialogs="ask",
    )  # fmt: skip
    with BrowserEnv(config) as env:
        assert env.risks(Navigate(url=f"{sites.elsewhere}/other")) == frozenset()
        env.perform(Navigate(url=f"{sites.elsewhere}/echo"))
        env.perform(click(40, 40))
        before = env.observe()
        env.perform(TypeText(text="{{secret:shop}}"))
        frame = env.observe()
        assert (frame.pixels_HW3[44, 40] == COVER).all()
        assert np.array_equal(frame.pixels_HW3[600:], before.pixels_HW3[600:])
        env.evaluate("void setTimeout(() => { window.told = prompt('it is ' + shown.value) })")
        with pytest.raises(DialogOpen, match=r'a dialog "it is \{\{secret:shop\}\}"'):
            env.perform(Move(x_px=1, y_px=1))
        with pytest.raises(UnsupportedAction, match="no secret 'none'"):
            env.perform(AnswerDialog(text="{{secret:none}}"))
        env.observe()
        assert "hunter2" not in env.perform(AnswerDialog(text="{{secret:shop}}")).detail
        assert env.evaluate("[told, told === shown.value]") == ["{{secret:shop}}", True]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"user_data": "profile"}, "user_data is a pathlib.Path"),
        ({"downloads": "files"}, "downloads is a pathlib.Path"),
        ({"http_auth": "me:word"}, "http_auth is a pair"),
        ({"surface": "wall"}, "surface is one of headless, window, kiosk, got 'wall'"),
        ({"dialogs": "shout"}, "dialogs is one of dismiss, accept, ask"),
        ({"settle_s": float("nan")}, "need settle_s >= 0"),
        ({"device_scale": float("nan")}, "device_scale must be > 0"),
    ],
)
def test_a_configuration_that_is_none_is_refused_at_once(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        BrowserConfig(**fields)


def test_a_page_that_does_not_answer_counts_as_one_that_submits(page: BrowserEnv, sites: Sites) -> None:
    page.perform(Navigate(url=f"{sites.here}/other"))
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(
            page.evaluate, "(() => { const end = performance.now() + 3000; while (performance.now() < end); })()"
        )
        while not hanging.running():
            pass
        assert page.risks(click(10, 10)) == {"submit"}
        hanging.result()
    assert page.risks(click(300, 300)) == frozenset()
