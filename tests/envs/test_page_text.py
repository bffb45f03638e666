"""The words that a page shows, and what its fields hold, read from a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

import pytest
from moonhand.envs import (
    AnswerDialog,
    BrowserConfig,
    BrowserEnv,
    Click,
    DryRunEnv,
    Point,
    ShownText,
    Size,
    TypeText,
)

pytestmark = pytest.mark.browser

Serve = Callable[[Mapping[str, str]], str]

PAGE = """<!doctype html><title>shop</title>
<style>body { margin: 8px } .reader { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip: rect(0, 0, 0, 0) } .box { position: relative } .over { position: absolute; inset: 0; background: white }</style>
<h1>Thank you, <b>Ada</b></h1>
<p style="display: none">Without a box</p><p style="visibility: hidden">Invisible</p><p style="opacity: 0">Faint</p>
<span class=reader><em>For readers</em></span><script>"Script"</script><noscript>No script</noscript>
<div style="height: 18px; line-height: 18px; overflow: hidden">First line<br>Second line</div>
<div class=box><p>Beneath</p><div class=over>Above</div></div>
<div class=box><p>Dimmed</p><div class=over style="background: #0006"></div></div>
<div class=box><p>Tinted</p><div class=over style="background: color(srgb 1 1 1 / 0.3)"></div></div>
<div class=box><p>Uncovered</p><div style="opacity: 0"><div class=over>Faded</div></div></div>
<div style="position: relative"><span style="position: absolute; pointer-events: none">Floating</span>
  <input style="background: white" value=under></div>
<button>Save</button><button>Cancel</button> <input type=submit>
<label>Email <input id=email value=ada@example.org></label><input placeholder="Your name">
<input type=password id=password value=hunter22><input type=checkbox id=box checked>
<select id=colour><option>Red<option selected>Blue</select>
<select size=2><option>Apples<option>Pears</select>
<textarea id=note>Some
lines</textarea>
<details><summary>More</summary>Folded <p>paragraph</p></details>
<table id=table><tr><td>Name<td>Bob</table>
<form><input name=childNodes value="In a form"><input name=localName type=hidden></form>
<div style="visibility: hidden">Veiled <i style="visibility: visible">Unveiled</i></div>
<div id=open></div><x-closed id=closed></x-closed><div id=empty></div>
<img alt="A drawing" src="data:,">
"""
ROOTS = """void [["open", "open"], ["closed", "closed"], ["empty", "closed"]].forEach(([id, mode]) =>
  document.getElementById(id).attachShadow({mode}).innerHTML = `<p>In the ${id} one</p>`)"""


@pytest.fixture(scope="module")
def env(chromium: str, serve: Serve) -> Generator[BrowserEnv]:
    inner = "<body style='margin:0'><p style='margin:0'>Inside</p><div style='height:900px'></div><p>Deep</p>"
    pages = {"/inner": inner, "/": "<p>Outside</p><iframe src=/inner id=own></iframe><iframe id=other></iframe>"}
    config = BrowserConfig(
        url=serve(pages),
        viewport=Size(700, 1000),
        device_scale=2,
        dialogs="ask",
        secrets=lambda name: f"the value of {name}",
    )
    with BrowserEnv(config) as opened:
        yield opened


def show(env: BrowserEnv, html: str) -> ShownText:
    env.evaluate(f"void (document.open(), document.write({html!r}), document.close())")
    return read(env)


def read(env: BrowserEnv) -> ShownText:
    shown = env.shown_text()
    assert shown is not None
    return shown


def middle(env: BrowserEnv, css: str) -> Point:
    box = f"document.querySelector({css!r}).getBoundingClientRect()"
    return Point(*env.evaluate(f"(({{x, y, width, height}}) => [2 * x + width, 2 * y + height])({box})"))


def test_frames_are_read_with_what_of_them_can_be_seen(env: BrowserEnv) -> None:
    base = env.url.rstrip("/")
    other = base.replace("127.0.0.1", "localhost")  # another site: a process of its own
    env.evaluate(f"new Promise((done) => {{ other.onload = () => done(1); other.src = '{other}/inner' }})")
    shown = read(env)
    assert [piece.text for piece in shown.pieces if piece.showing == "shown"] == ["Outside", "Inside", "Inside"]
    assert shown.find("Deep") is None
    boxes = [piece.box for piece in shown.pieces if piece.text == "Inside"]
    for box, name in zip(boxes, ("own", "other"), strict=True):
        left, top = env.evaluate(f"(({{x, y}}) => [2 * x, 2 * y])({name}.getBoundingClientRect())")
        assert (box.left_px, box.top_px) == (pytest.approx(left + 4, abs=2), pytest.approx(top + 4, abs=6))
    env.evaluate("void (own.style.display = 'none')")
    assert [piece.text for piece in read(env).pieces if piece.showing == "shown"] == ["Outside", "Inside"]


def test_what_a_page_shows_is_told_from_what_it_only_has(env: BrowserEnv) -> None:
    show(env, PAGE)
    env.evaluate(ROOTS)
    shown = read(env)
    seen = [
        "Thank you, Ada",
        "First line",
        "Above",
        "Dimmed",
        "Tinted",
        "Uncovered",
        "Floating",
        "Save",
        "Submit",
        "Email ada@example.org",
    ]
    seen += ["Your name", "Blue", "Apples", "Pears", "Some lines", "More", "In a form", "Unveiled", "Name Bob"]
    seen += ["In the open one", "In the closed one", "In the empty one"]
    assert [words for words in seen if shown.find(words) is None] == []
    unseen = {"Second line": "outside", "Beneath": "covered"}
    unseen |= dict.fromkeys(
        ("Without a box", "Invisible", "Veiled", "Faint", "For readers", "Folded", "paragraph"), "hidden"
    )
    for words, showing in unseen.items():
        assert shown.find(words) is None, words
        assert shown.find(words, showing) is not None, words  # pyright: ignore[reportArgumentType]
    nowhere = ("Script", "No script", "hunter22", "Red", "A drawing", "shop")
    assert [words for words in nowhere if words in shown.text] == []


def test_the_place_of_words_is_where_the_frame_has_them(env: BrowserEnv) -> None:
    words = "position: absolute; margin: 0; left: 40px; top: 30px; font: 20px/20px monospace"
    found = show(env, f"<body style='margin: 0'><p style='{words}'>Here</p>").find("here")
    assert found is not None
    assert (found.box.left_px, found.box.top_px) == (80, pytest.approx(60, abs=8))
    pixels_HW3 = env.observe().pixels_HW3
    assert pixels_HW3[60:100, 80 : 80 + int(found.box.width_px)].min() < 128
    assert pixels_HW3[:50].min() == 255


def test_words_in_view_and_out_of_it_are_told_apart_and_scrolling_changes_that(env: BrowserEnv) -> None:
    shown = show(env, "<p>Top</p><div style='height:3000px'></div><p>Bottom</p>")
    assert (shown.find("Top") is None, shown.find("Bottom") is None) == (False, True)
    assert shown.find("Bottom", "outside") is not None
    env.evaluate("void scrollTo(0, 9999)")
    shown = read(env)
    assert (shown.find("Top") is None, shown.find("Bottom") is None) == (True, False)


def test_what_an_element_holds_is_read_at_its_place(env: BrowserEnv) -> None:
    show(env, PAGE)
    held = {"#email": "ada@example.org", "#colour": "Blue", "#note": "Some\nlines", "#box": "checked", "b": "Ada"}
    held |= {"td + td": "Bob", "label": "ada@example.org", "img": "A drawing"}
    assert {css: env.value_at(middle(env, css)) for css in held} == held
    assert env.value_at(middle(env, "#password")) is None
    assert env.value_at(Point(1390, 1990)) is None  # the page as a whole
    assert DryRunEnv(env).value_at(middle(env, "#email")) == "ada@example.org"


def test_a_page_cannot_answer_for_itself(env: BrowserEnv) -> None:
    show(env, "<p>Truth</p>")
    env.evaluate(
        "void (Element.prototype.checkVisibility = () => false, Range.prototype.getClientRects = () => [],"
        "document.elementsFromPoint = () => { throw 1 })"
    )
    assert read(env).text == "Truth"


def test_secrets_that_were_filled_in_are_masked(env: BrowserEnv) -> None:
    show(env, "<input style='width: 400px'><p id=copy></p>")
    place = middle(env, "input")
    env.perform(Click(x_px=place.x_px, y_px=place.y_px))
    env.perform(TypeText(text="{{secret:shop}}"))
    assert read(env).text == env.value_at(place) == "{{secret:shop}}"
    env.evaluate("void (copy.innerHTML = document.querySelector('input').value.replace('of', '<i>of</i>'))")
    assert "value" not in read(env).text


def test_of_a_page_that_a_dialog_blocks_its_words_are_read(env: BrowserEnv) -> None:
    show(env, "<p>Page</p>")
    env.evaluate("void setTimeout(() => confirm('Really \"go\"?'))")
    for _ in range(100):
        env.observe()
        if read(env).text != "Page":
            break
    assert read(env).text == 'Really "go"?'
    assert env.value_at(Point(5, 5)) is None
    env.perform(AnswerDialog(accept=True))
    assert read(env).text == "Page"
