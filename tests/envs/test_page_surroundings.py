"""What a page tells of the place of an action: enough to find it again, and no secret."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping

import pytest
from moonhand.envs import (
    NOTHING_KNOWN,
    BrowserConfig,
    BrowserEnv,
    Click,
    Drag,
    Element,
    Navigate,
    Point,
    PressKeys,
    Size,
    Surroundings,
    TypeText,
    Wait,
)

pytestmark = pytest.mark.browser

SECRET = "hunter2 swordfish"
PAGE = """<title>Shop</title><style>* { margin: 0; font: 13px sans-serif }</style>
<form id=order>
  <label for=full>Full name</label><input id=full name=full placeholder=Ada>
  <input type=password name=pw aria-label=Password value=unseen>
  <input name=getAttribute hidden><input name=parentNode hidden>
  <label><input type=checkbox name=agree> I agree</label>
  <select name=size><option>small<option selected>large</select>
  <div class="css-1q2w3e row">
    <span>Plan</span> <button type=button class="css-9x8y7z"><b>Sign <i>up</i></b></button>
  </div>
</form>
<table>
  <tr><td>Milk</td><td><button>Delete</button></td></tr>
  <tr><td>Eggs</td><td><button>Delete</button></td></tr>
</table>
<button id="ember1234" data-testid=save>Save</button><h2>Save</h2>
<div id=open></div><div id=closed></div>
<iframe src="/inner" style="margin: 20px; border: 3px solid"></iframe>
<script>
  for (const mode of ["open", "closed"])
    window[mode + "Root"] = document.getElementById(mode).attachShadow({mode}), window[mode + "Root"].innerHTML =
      `<p><button class=go>Shadow ${mode}</button></p>`;
  document.elementFromPoint = Element.prototype.closest = () => { throw "not for them" };
  corner = (one) => { const box = one.getBoundingClientRect(); return [box.left, box.top, box.width, box.height] };
  middle = (one) => { const [left, top, width, height] = corner(one); return [left + width / 2, top + height / 2] };
</script>"""
INNER = "<title>inner</title><p>Within</p><button id=deep>Deep</button>"
NAMES = ("getRootNode", "checkVisibility", "childNodes", "labels", "innerText", "contains", "shadowRoot", "host")
HOSTILE = f"""<title>Hostile</title><style>* {{ margin: 4px }}</style>
<img name=body><img name=evaluate><img name=getElementById><img name=children><img name=getElementsByTagName>
<p>Before</p><style>p {{ color: red }}</style><script>let source = 1</script><noscript>none</noscript>
<p hidden>unseen</p><button id=alone>Alone</button>
<form id=form role=button aria-labelledby=words>{"".join(f"<input name={name} hidden>" for name in NAMES)}Go</form>
<b id=words>Go on</b><p id=other>Other</p>
<input type=password id=pass value="hunter2-secret" title="is hunter2-secret" data-test="hunter2-secret">
<input id=dotted style="-webkit-text-security: disc" value=4711-4711>
<input type=checkbox value=yes><input id=plain value="as it was">
<script>
  corner = (one) => {{ const box = one.getBoundingClientRect(); return [box.left, box.top, box.width, box.height] }};
  middle = (one) => {{ const [left, top, width, height] = corner(one); return [left + width / 2, top + height / 2] }};
</script>"""
# Finds what a selector of the DevTools Recorder stands for, as far as no accessibility tree is needed.
FIND_JS = """((selector) => {
  const roots = [document, openRoot];
  if (selector.startsWith("xpath/")) {
    const found = document.evaluate(selector.slice(6), document, null, 7);
    return [...Array(found.snapshotLength).keys()].map((at) => found.snapshotItem(at));
  }
  if (selector.startsWith("pierce/")) return roots.flatMap((root) => [...root.querySelectorAll(selector.slice(7))]);
  return [...document.querySelectorAll(selector)];
})"""


@pytest.fixture(scope="module")
def env(chromium: str, serve: Callable[[Mapping[str, str]], str]) -> Generator[BrowserEnv]:
    address = serve({"/": PAGE, "/inner": INNER, "/hostile": HOSTILE})
    config = BrowserConfig(
        url=address,
        viewport=Size(500, 400),
        device_scale=2.0,
        executable=chromium,
        secrets={"shop": SECRET}.get,
    )
    with BrowserEnv(config) as opened:
        opened.observe()
        yield opened


def at(env: BrowserEnv, js: str) -> tuple[Element, Surroundings]:
    x, y = env.evaluate(f"middle({js})")
    found = env.surroundings(Click(x_px=x * 2, y_px=y * 2))
    assert found.element is not None
    return found.element, found


def test_a_field_is_told_by_its_role_label_box_and_address(env: BrowserEnv) -> None:
    element, found = at(env, "document.querySelector('#full')")
    assert (element.tag, element.role, element.name, element.near) == ("input", "textbox", "Full name", "Full name")
    assert element.selectors[:3] == ("#full", "aria/Full name", 'input[name="full"]')
    assert (found.title, found.url) == ("Shop", env.url)
    left, top, width, height = env.evaluate("corner(full)")
    box = (element.left_px, element.top_px, element.width_px, element.height_px)
    assert box == pytest.approx((left * 2, top * 2, width * 2, height * 2), abs=0.01)


def test_every_selector_finds_the_element_alone(env: BrowserEnv) -> None:
    elements = [f"document.querySelectorAll('button, input:not([hidden]), select')[{number}]" for number in range(7)]
    for js in [*elements, "openRoot.querySelector('button')"]:
        element, _ = at(env, js)
        told = [selector for selector in element.selectors if not selector.startswith(("aria/", "text/"))]
        assert told, js
        for selector in told:
            found = f"{FIND_JS}({selector!r})"
            assert env.evaluate(f"{found}.length === 1 && {found}[0] === {js}"), (js, selector)


def test_a_button_is_meant_where_words_within_it_are_hit_and_no_made_up_name_is_relied_on(env: BrowserEnv) -> None:
    element, _ = at(env, "document.querySelector('i')")
    assert (element.tag, element.name, element.near) == ("button", "Sign up", "Plan")
    assert {"aria/Sign up", "text/Sign up", "xpath//html/body/form/div/button"} <= set(element.selectors)
    assert not any("css-" in selector for selector in element.selectors)
    saves, _ = at(env, "document.querySelector('[data-testid]')")
    assert saves.selectors[:2] == ('[data-testid="save"]', 'aria/Save[role="button"]')
    assert not any("ember" in selector for selector in saves.selectors)


def test_buttons_of_one_name_are_told_apart_by_their_rows(env: BrowserEnv) -> None:
    milk, _ = at(env, "document.querySelectorAll('td button')[0]")
    eggs, _ = at(env, "document.querySelectorAll('td button')[1]")
    assert (milk.name, milk.near, eggs.near) == ("Delete", "Milk", "Eggs")
    assert not any(selector.startswith(("aria/", "text/")) for selector in (*milk.selectors, *eggs.selectors))


def test_frames_and_shadow_roots_are_looked_into(env: BrowserEnv) -> None:
    shadow, _ = at(env, "openRoot.querySelector('button')")
    assert (shadow.name, shadow.selectors) == (
        "Shadow open",
        ("aria/Shadow open", "pierce/button.go", "text/Shadow open", "pierce/p > button"),
    )
    closed, _ = at(env, "closedRoot.querySelector('button')")
    assert (closed.name, closed.selectors) == ("Shadow closed", ())  # nothing from outside reaches it
    x, y = env.evaluate("middle(frames[0].document.querySelector('button'))")
    left, top, *_ = env.evaluate("corner(document.querySelector('iframe'))")
    x_px, y_px = (left + 3 + x) * 2, (top + 3 + y) * 2  # within its border
    deep = env.surroundings(Click(x_px=x_px, y_px=y_px)).element
    assert deep is not None
    assert (deep.name, deep.selectors[0], deep.frame, deep.near) == ("Deep", "#deep", (0,), "Within")
    place = (deep.left_px + deep.width_px / 2, deep.top_px + deep.height_px / 2)
    assert place == pytest.approx((x_px, y_px), abs=1)


def test_keys_are_told_what_has_the_focus_and_values_of_secrets_are_not(env: BrowserEnv) -> None:
    assert env.surroundings(TypeText(text="x")).element is None  # nothing has it
    x, y = env.evaluate("middle(full)")
    env.perform(Click(x_px=x * 2, y_px=y * 2))
    env.perform(TypeText(text="{{secret:shop}} and more"))
    focused = env.surroundings(PressKeys(keys=("enter",))).element
    assert focused is not None
    assert (focused.name, focused.text) == ("Full name", "{{secret:shop}} and more")
    password, _ = at(env, "document.querySelector('[type=password]')")
    assert (password.name, password.text) == ("Password", "")
    env.evaluate("document.title = full.value")
    told = env.surroundings(Wait())
    assert told == Surroundings(url=env.url, title="{{secret:shop}} and more")


def test_of_a_way_both_ends_are_told(env: BrowserEnv) -> None:
    (full, alone), (shadow, _) = at(env, "full"), at(env, "openRoot.querySelector('button')")
    places = [env.evaluate(f"middle({js})") for js in ("full", "openRoot.querySelector('button')")]
    told = env.surroundings(Drag(path=tuple(Point(x * 2, y * 2) for x, y in places)))
    assert (told.element, told.end) == (full, shadow)
    assert alone.end is None


@pytest.fixture
def hostile(env: BrowserEnv) -> BrowserEnv:
    env.perform(Navigate(url=f"{env.config.url}/hostile"))
    return env


def test_names_of_a_form_and_of_pictures_do_not_stand_in_for_methods(hostile: BrowserEnv) -> None:
    form, _ = at(hostile, "form")
    assert (form.tag, form.role, form.name, form.near) == ("form", "button", "Go on", "Alone")
    assert {"#form", "html > body > form"} <= set(form.selectors)
    other, _ = at(hostile, "other")
    assert (other.tag, other.selectors[:2]) == ("p", ("#other", "text/Other"))


def test_what_is_not_shown_is_no_text_beside_it(hostile: BrowserEnv) -> None:
    hostile.evaluate("for (const one of [form, words, other, pass, dotted, plain]) one.remove()")
    hostile.evaluate("document.querySelector('[type=checkbox]').remove()")
    assert at(hostile, "alone")[0].near == "Before"


def test_no_selector_tells_what_stands_in_a_field(hostile: BrowserEnv) -> None:
    for name in ("pass", "dotted", "plain"):
        element, _ = at(hostile, f"window[{name!r}]")
        assert f"#{name}" in element.selectors
        assert not any("value" in selector or "hunter2" in selector for selector in element.selectors)
        assert name == "plain" or not any(secret in repr(element) for secret in ("hunter2", "4711"))
    assert 'input[value="yes"]' in at(hostile, "document.querySelector('[type=checkbox]')")[0].selectors


def test_on_a_large_page_only_what_is_found_quickly_is_told(hostile: BrowserEnv) -> None:
    hostile.evaluate("alone.insertAdjacentHTML('afterend', '<i hidden>Alone</i>'.repeat(26000))")
    element, _ = at(hostile, "alone")
    assert (element.name, element.near) == ("Alone", "Before")
    assert element.selectors == ("#alone", "html > body > button", "xpath//html/body/button")


def test_a_place_off_the_page_and_a_page_that_hangs_tell_nothing_and_raise_nothing(
    env: BrowserEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moonhand.envs.browser.SURROUNDINGS_LIMIT_S", 0.1)
    assert env.surroundings(Click(x_px=9999, y_px=9999)).element is None
    env.evaluate("setTimeout(() => { for (const end = Date.now() + 500; Date.now() < end;); }, 10) && undefined")
    time.sleep(0.1)  # it is busy by now
    assert env.surroundings(Click(x_px=30, y_px=30)) == NOTHING_KNOWN
    monkeypatch.undo()
    env.perform(Navigate(url="about:blank"))
    assert env.surroundings(TypeText(text="x")).url == "about:blank"
