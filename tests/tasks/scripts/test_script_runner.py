"""Every verb of a script, in a real page."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moonhand.agent import read_trajectory
from moonhand.envs import BrowserEnv
from moonhand.tasks.scripts.outcome import ScriptOutcome
from PIL import Image

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><title>Shop</title><style>* { margin: 0; padding: 0 }
#field { position: absolute; left: 100px; top: 80px; width: 100px; height: 40px; box-sizing: border-box }
p { position: absolute; top: 150px } </style>
<input id=field aria-label=Name><p id=said>Welcome to the shop</p>
<script>
  window.events = [];
  for (const kind of ["click", "dblclick", "contextmenu"])
    field.addEventListener(kind, (event) => { events.push(kind); if (kind == "contextmenu") event.preventDefault(); });
  field.addEventListener("keydown", (event) => events.push("key " + event.key));
  field.addEventListener("wheel", () => events.push("wheel"));
  field.addEventListener("mousemove", () => { window.hovered = true; });
</script>"""


@pytest.fixture(scope="module")
def url(serve: Callable[[dict[str, str]], str]) -> str:
    return serve({"/": PAGE, "/cart": "<title>Cart</title><p>Your cart</p>"})


def statuses(outcome: ScriptOutcome) -> list[tuple[str, str]]:
    return [(step.number, step.status) for step in outcome.steps]


def events(env: BrowserEnv) -> Any:
    return env.evaluate("window.events")


def test_every_way_to_touch_a_page(play: Any, env: BrowserEnv, url: str) -> None:
    outcome = play(
        f"""
url: {url}
vars: {{ name: Ada, who: "{{{{name}}}} L" }}
steps:
  - hover: Name
  - type: {{ into: Name, text: "{{{{who}}}}", clear: true }}
  - right_click: Name
  - double_click: Name
  - tick: Name
  - key: ctrl+a
  - scroll: {{ dy: 1, over: Name }}
  - click Name; type "{{{{name}}}}!" into Name and press Enter
  - wait: 0.01
  - expect: {{ js: "field.value.endsWith('Ada!')" }}
  - navigate: {url}/cart
  - expect: {{ title: Cart, timeout_s: 1 }}
  - back: true
  - expect: {{ url: "/\\\\/$/" }}
"""
    )
    assert outcome.is_passed, outcome.error
    assert outcome.result is not None
    assert outcome.result.success is True
    assert {step.status for step in outcome.steps} == {"passed"}
    kinds = [step.action.type for step in read_trajectory(outcome.result.path).steps if step.action]
    assert kinds == [
        *("move", "click", "type", "click", "click", "click", "key", "scroll"),
        *("click", "click", "type", "wait", "navigate", "back", "finish"),
    ]


def test_what_is_expected_is_waited_for_and_told_with_its_line_and_a_picture(play: Any, url: str) -> None:
    outcome = play(
        f"""url: {url}
steps:
  - expect: Welcome
  - expect: {{ see: Sold out, absent: true }}
  - expect: {{ js: "setTimeout(() => {{ window.late = 1 }}, 200), 1", timeout_s: 0 }}
  - expect: {{ js: "window.late", equals: 1, timeout_s: 5 }}
  - expect: {{ see: Goodbye, timeout_s: 0.2 }}
  - click: Name
"""
    )
    assert outcome.result is not None
    assert (outcome.result.status, outcome.result.success) == ("failed", False)
    assert statuses(outcome)[4:] == [("5", "failed"), ("6", "not reached")]
    assert str(outcome.result.error).startswith(f"{play.folder}/script.yaml:7: expected 'Goodbye' within 0.2 s: ")
    assert outcome.steps[0].how == "page"
    assert outcome.steps[1].found == "as it should be, the page does not show these words"
    assert outcome.steps[4].picture is not None
    with Image.open(outcome.steps[4].picture) as picture:
        assert picture.size == (300, 200)
    assert json.loads((outcome.result.path / "script.json").read_text())["script_steps"][4]["line"] == 7


def test_if_takes_one_branch_by_page_or_variable(play: Any, env: BrowserEnv, url: str) -> None:
    outcome = play(
        f"""
url: {url}
vars: {{ plan: pro }}
steps:
  - if: Welcome
    then: [{{ key: a }}]
    else: [{{ key: b }}]
  - if: {{ var: plan, equals: free }}
    then: [{{ key: c }}]
    else:
      - if: {{ see: Sold out }}
        then: [{{ key: d }}]
  - if: {{ var: plan }}
    then: [{{ extract: {{ as: n, js: "1 + 1" }} }}]
  - expect: {{ var: n, equals: 2 }}
"""
    )
    assert outcome.is_passed, outcome.error
    assert [step.said for step in outcome.steps if step.verb == "press"] == ["press a"]
    numbers = [step.number for step in outcome.steps]
    assert numbers == ["1", "1.1", "2", "2.1", "3", "3.1", "4"]
    assert outcome.steps[2].found == "no: plan is 'pro'"


def test_repeat_goes_round_by_number_by_condition_and_by_row(play: Any, env: BrowserEnv, url: str) -> None:
    (play.folder / "people.csv").write_text("name,email\nAda,ada@x\nGrace,grace@x\n")
    outcome = play(
        f"""
url: {url}
vars: {{ twice: 2, cities: [Rome, Oslo] }}
steps:
  - click: Name
  - repeat: {{ times: "{{{{twice}}}}" }}
    steps: [{{ type: {{ text: "{{{{round}}}}" }} }}]
  - repeat: {{ until: {{ js: "field.value.length >= 5" }}, at_most: 9 }}
    steps: [{{ type: {{ text: x }} }}]
  - repeat: {{ each: person, csv: people.csv }}
    steps: [{{ type: {{ text: "{{{{person.name}}}}{{{{round}}}}" }} }}]
  - repeat: {{ each: city, in: "{{{{cities}}}}" }}
    steps: [{{ type: {{ text: "{{{{city}}}}" }} }}]
check: {{ js: field.value, equals: 12xxxAda1Grace2RomeOslo }}
"""
    )
    assert outcome.is_passed, outcome.error
    assert [step.found for step in outcome.steps if step.verb == "repeat"][:2] == ["2 rounds", "3 rounds: it is true"]
    endless = play(f"url: {url}\nsteps:\n- repeat: {{until: {{js: '0'}}, at_most: 3}}\n  steps: [{{wait: 0}}]")
    assert "after 3 rounds still not 0" in str(endless.error)
    assert len([step for step in endless.steps if step.verb == "wait"]) == 3


def test_an_included_script_has_variables_of_its_own_and_gives_back_what_it_reads(
    play: Any, env: BrowserEnv, url: str
) -> None:
    (play.folder / "_login.yaml").write_text(
        """
vars: { user: null, suffix: "-{{user}}" }
steps:
  - type: { into: Name, text: "{{user}}{{suffix}}" }
  - extract: { as: typed, of: Name }
check: { js: "field.value.length > 0", equals: true }
"""
    )
    outcome = play(
        f"""
url: {url}
vars: {{ me: ada }}
steps:
  - include: _login.yaml
    with: {{ user: "{{{{me}}}}" }}
  - expect: {{ var: typed, equals: ada-ada }}
"""
    )
    assert outcome.is_passed, outcome.error
    assert outcome.variables == {"typed": "ada-ada"}
    assert [step.spot.file.rpartition("/")[2] for step in outcome.steps] == [
        "script.yaml",
        "_login.yaml",
        "_login.yaml",
        "script.yaml",
    ]


def test_what_a_page_says_is_never_read_as_a_secret_or_a_variable(play: Any, url: str) -> None:
    js = "'{{' + 'secret:bank}}'"
    outcome = play(f'url: {url}\nsteps:\n  - extract: {{ as: x, js: "{js.replace("{{", "{", 1)}" }}')
    assert outcome.is_passed, "braces alone are text"
    script = f"""url: {url}
steps:
  - extract: {{ as: x, js: "'{{'.repeat(2) + 'secret:bank' + '}}'.repeat(2)" }}
"""
    assert "names a secret" in str(play(script).error)


def test_a_step_is_tried_again_and_its_failure_may_not_count(play: Any, url: str) -> None:
    counts = "(window.k = (window.k || 0) + 1)"
    outcome = play(
        f"""
url: {url}
steps:
  - expect: {{ js: "{counts} >= 2", timeout_s: 0 }}
    retries: 2
  - expect: {{ see: Goodbye, timeout_s: 0 }}
    optional: true
    name: a banner
"""
    )
    assert outcome.is_passed, outcome.error
    assert [(step.status, step.num_tries) for step in outcome.steps] == [("passed", 2), ("tolerated", 1)]
    assert outcome.steps[1].said == "a banner"
    goes_on = play(
        f"""
url: {url}
steps:
  - expect: {{ see: Goodbye, timeout_s: 0 }}
    continue_on_error: true
  - expect: Welcome
"""
    )
    assert statuses(goes_on) == [("1", "failed"), ("2", "passed")]
    assert goes_on.result is not None
    assert (goes_on.result.status, goes_on.is_passed) == ("failed", False)
    assert "script.yaml:4" in str(goes_on.result.error)


def test_time_limits_end_a_step_and_a_script(play: Any, url: str) -> None:
    slow = f"url: {url}\nsteps:\n  - repeat: {{times: 500}}\n    timeout_s: 0.2\n    steps: [{{wait: 0.05}}]"
    outcome = play(slow)
    assert "its 0.2 s were over" in str(outcome.error)
    outcome = play(f"url: {url}\ntimeout_s: 0.2\non_failure: none\nsteps: [{{wait: 30}}, {{key: a}}]")
    assert "the script's 0.2 s were over" in str(outcome.error)
    assert statuses(outcome) == [("1", "passed"), ("2", "failed")]
    assert outcome.steps[1].picture is None


def test_do_takes_plain_steps_and_needs_a_model_that_plans_for_others(play: Any, env: BrowserEnv, url: str) -> None:
    outcome = play(f"url: {url}\nsteps:\n  - do: click Name; press b\n")
    assert outcome.is_passed, outcome.error
    assert statuses(outcome) == [("1", "passed"), ("1.1", "passed"), ("1.2", "passed")]
    assert events(env) == ["click", "key b"]
    assert "does not plan" in str(play(f"url: {url}\nsteps:\n  - do: buy the cheapest\n").error)


def test_a_final_check_that_does_not_hold_fails_the_script(play: Any, url: str) -> None:
    outcome = play(f"url: {url}\nsteps: [{{wait: 0}}]\ncheck: {{js: document.title, equals: Cart}}")
    assert outcome.result is not None
    assert (outcome.result.status, outcome.result.success, outcome.is_passed) == ("finished", False, False)
    assert str(outcome.error).endswith('script.yaml: check document.title: expected "Cart", and it is "Shop"')
    assert not play(f"url: {url}\nsteps: [{{expect: {{js: 'no.such'}}, timeout_s: 0.1}}]").is_passed


@pytest.mark.parametrize(
    "step", ["click: '{{who}}'", "type: {text: x, into: '{{who}}'}", "scroll: {over: '{{who}}'}", "do: click {{who}}"]
)
def test_a_variable_that_leaves_no_name_for_a_thing_fails_its_step(play: Any, url: str, step: str) -> None:
    outcome = play(f"url: {url}\nvars: {{who: ''}}\nsteps:\n  - {step}\n")
    assert str(outcome.error).endswith("script.yaml:4: '' names nothing: say what to look for on the screen")
    assert outcome.result.steps == 0


CYCLE = "(() => { let a = {}; a.a = a; return a })()"


@pytest.mark.parametrize("js", [CYCLE, "NaN", "[-Infinity]", "new Date(0)"])
@pytest.mark.parametrize("step", ["extract: {{as: a, js: '{js}'}}", "expect: {{js: '{js}', equals: 1, timeout_s: 0}}"])
def test_what_a_page_says_that_json_has_not_fails_the_step(play: Any, url: str, step: str, js: str) -> None:
    outcome = play(f"url: {url}\nsteps:\n  - {step.format(js=js)}\n")
    assert statuses(outcome) == [("1", "failed")]
    assert "script.yaml:3: " in str(outcome.error)
    assert "the page's answer is no JSON value: " in str(outcome.error)


def test_a_check_of_what_json_has_not_fails_and_is_kept_as_json(play: Any, url: str) -> None:
    outcome = play(f"url: {url}\nsteps: [{{wait: 0}}]\ncheck: {{js: '{CYCLE}', equals: .nan}}")
    assert "the page's answer is no JSON value: Circular reference" in str(outcome.error)
    kept = json.loads((outcome.result.path / "script.json").read_text(), parse_constant=pytest.fail)
    assert kept["checks"][0]["equals"] is None


def test_ctrl_c_leaves_an_outcome_and_a_trajectory_of_what_was_done(play: Any, url: str) -> None:
    def stop(result: Any) -> None:
        if result.number == "2":
            signal.raise_signal(signal.SIGINT)

    outcome = play(f"url: {url}\nsteps: [{{click: Name}}, {{click: Name}}, {{click: Name}}]", heard=stop)
    assert outcome.result is not None
    assert outcome.result.status == "stopped"
    assert statuses(outcome) == [("1", "passed"), ("2", "passed"), ("3", "not reached")]
    recording = read_trajectory(outcome.result.path)
    assert (len(recording.steps), recording.run["status"]) == (2, "stopped")
    assert not (play.folder / ".moonhand").exists()


def test_the_same_in_vain_again_and_again_ends_the_script_as_stuck(play: Any, url: str, tmp_path: Path) -> None:
    outcome = play(f"url: {url}/cart\nsteps:\n  - repeat: {{times: 9}}\n    steps: [{{click: Nothing}}]")
    assert outcome.result is not None
    assert outcome.result.status == "stuck"
    assert outcome.result.steps == 5
    hows = [step.how for step in outcome.steps if step.verb == "click"]
    assert hows[:4] == ["model"] * 4
