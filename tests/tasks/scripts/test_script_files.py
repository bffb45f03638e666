"""What is wrong with a script, its variables or what it includes is told before anything is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from moonhand.tasks.errors import BadRequest, BadScript
from moonhand.tasks.scripts import load_script, parse_script
from moonhand.tasks.scripts.known import check_given, first_values
from moonhand.tasks.scripts.schema import json_schema, schema_text
from moonhand.tasks.scripts.suite import load_scripts, script_files, with_tags
from moonhand.tasks.scripts.values import fill, given_values

DOCS = Path(__file__).parents[3] / "docs"
WHOLE = """
name: Buy a hub
tags: [smoke]
vars: { email: null, size: 3, user: { name: Ada } }
env: [BASE_URL]
url: "{{BASE_URL}}/shop"
retries: 1
timeout_s: 60
on_failure: none
sure: 0.5
steps:
  - click Sign up; type "x" into Name
  - type: { into: Email, text: "{{email}} {{user.name}}" }
  - do: find the cheapest
    timeout_s: 9
    sure: 0.8
  - expect: Welcome
  - expect: { see: Sold out, absent: true, by: words, timeout_s: 3 }
  - extract: { as: total, question: "What is the total?", of: Total }
  - if: { var: total, equals: "3" }
    then: [{ click: Pay }]
    else: [press Escape]
  - repeat: { until: { url: /done/ }, at_most: 4 }
    steps: [{ click: Next, cache: false, retries: 2, optional: true, name: go on }]
  - repeat: { times: "{{size}}" }
    steps: [{ type: { text: "{{round}}" } }]
check: { js: "1", equals: 1 }
"""


def problem(text: str, **given: Any) -> str:
    with pytest.raises(BadScript) as caught:
        first_values(parse_script(text, source="s.yaml"), given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps:\n  - wait: 0\n  - wait: 0\n  - wait: 0\n  - wait: 0\n  - wait: 0\n  - clikc: a", "s.yaml:7:5: "),
        ("steps:\n  - wait:\n", "s.yaml:2:5: steps.0: wait: nothing is said behind it"),
        ("steps:\n  - fly to the moon", "s.yaml:2:5: not a step: 'fly to the moon'"),
        ("steps:\n  - expect: {see: a, url: b}", "see and url"),
        ("steps:\n  - expect: {see: a, equals: 1}", "`equals` goes with js or var"),
        ("steps:\n  - expect: {url: '/(/'}", "not a regular expression"),
        ("steps:\n  - click: a\n    then: []", "`then` goes with `if`"),
        ("steps:\n  - if: a", "`if` needs `then`"),
        ("steps:\n  - repeat: {times: 2}", "`repeat` needs `steps`"),
        ("steps:\n  - repeat: {times: 2, until: a}\n    steps: [back]", "times and until"),
        ("steps:\n  - repeat: {times: 5000}\n    steps: [back]", "0 to 1000"),
        ("steps:\n  - repeat: {each: x}\n    steps: [back]", "`each` needs one of"),
        ("steps:\n  - repeat: {each: x, in: [1, 2, 3], at_most: 2}\n    steps: [back]", "3 rows, and at_most is 2"),
        ("steps:\n  - repeat: {each: x, csv: no.csv}\n    steps: [back]", "no.csv cannot be read as CSV: No such file"),
        ("steps:\n  - extract: {as: a b, js: '1'}", "s.yaml:2:19"),
        ("steps:\n  - extract: {as: a}", "one of: question, of, js"),
        ("steps:\n  - key: enter\n    cache: false", "`cache` goes with"),
        ("steps:\n  - key: enter\n    sure: 0.5", "`sure` goes with what a model finds"),
        ("steps:\n  - click: a\n    sure: 50", "s.yaml:3:11: "),
        (
            "steps:\n  - click: '  '",
            "s.yaml:2:12: steps.0.click: '  ' names nothing: say what to look for on the screen",
        ),
        ("steps:\n  - type: {text: x, into: ' '}", "s.yaml:2:27: steps.0.type.into: ' ' names nothing"),
        ("steps:\n  - type \"x\" into ' '", "names nothing to find"),
        ("steps:\n  - click: [a, b\n", "s.yaml:2:12: this flow sequence is not closed"),
        ('steps:\n  - click: "a\n  - back', "s.yaml:2:12: this quoted scalar is not closed"),
        ("steps:\n  - click: a\n   wait: 0", "s.yaml:3:4: "),
        ("steps:\n  - include: no.yaml", "s.yaml:2:14: include: there is no file no.yaml"),
        ("steps:\n  - click: '{{secret:shop}}'", "a secret stands for what is typed"),
        ("steps:\n  - click {{secret:shop}}", "a secret stands for what is typed"),
    ],
)
def test_what_a_step_says_wrong_is_told_with_its_place(text: str, told: str) -> None:
    assert told in problem(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "steps:\n  - wait: 0\n  - click: '{{nmae}}'",
            "s.yaml:3:12: there is no variable 'nmae' here (there are: none)",
        ),
        ("vars: {user: {name: a}}\nsteps:\n  - click: '{{user.nmae}}'", "'user' has no 'nmae'; it has name"),
        ("steps:\n  - click: '{{a + b}}'", "not the name of a variable"),
        ("steps:\n  - click: '{{n}}'\n  - extract: {as: n, js: '1'}", "s.yaml:2:12: there is no variable 'n'"),
        ("steps:\n  - if: {var: n}\n    then: [back]", "no variable 'n'"),
        ("steps:\n  - click: '{{round}}'", "no variable 'round'"),
        ("steps:\n  - repeat: {each: u, in: [{a: 1}]}\n    steps: [{click: '{{u.b}}'}]", "'u' has no 'b'; it has a"),
        (
            "vars: {email: null}\nsteps:\n  - click: '{{email}}'",
            "s.yaml:1:8: email has no value: give --var email=VALUE",
        ),
        ("env: [MOONHAND_ABSENT]\nsteps: [back]", "s.yaml:1:7: MOONHAND_ABSENT has no value: set MOONHAND_ABSENT in"),
        ("vars: {a: '{{b}}', b: 1}\nsteps: [back]", "there is no variable 'b'"),
        ("url: '{{base}}'\nsteps: [back]", "s.yaml:1:6: there is no variable 'base'"),
        ("steps:\n  - type: {text: '{{secret:absent_here}}'}", "there is no secret 'absent_here'"),
    ],
)
def test_an_unknown_variable_or_secret_is_told_with_its_place(text: str, told: str) -> None:
    assert told in problem(text)


def test_several_problems_are_told_at_once_in_their_order() -> None:
    told = problem("steps:\n  - click: 3\n  - wait: soon\n  - clikc: a").splitlines()
    assert [line.split(":")[1] for line in told] == ["2", "3", "4"]
    told = problem("steps:\n  - click: '{{a}}'\n  - click: '{{b}}'").splitlines()
    assert len(told) == 2


def test_everything_a_script_may_say_is_read_and_fits_the_schema() -> None:
    script = parse_script(WHOLE, source="hub.yaml")
    assert (script.name, script.tags, script.retries, script.on_failure) == ("Buy a hub", ("smoke",), 1, "none")
    assert len(list(script.nodes)) == 14
    jsonschema.validate(yaml.safe_load(WHOLE), json_schema())


@pytest.mark.parametrize(
    "text",
    [
        "steps: []",
        "steps: [{clikc: a}]",
        "steps: [{click: a, hover: b}]",
        "steps: [{click: a, then: []}]",
        "steps: [{if: a}]",
        "steps: [{click: 3}]",
        "steps: [{click: ' '}]",
        "steps: [{wait: -1}]",
        "stepz: []",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str) -> None:
    with pytest.raises(BadScript):
        parse_script(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), json_schema())


def test_the_published_schema_is_that_of_the_models() -> None:
    assert (DOCS / "script.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_scripts_of_the_documentation_are_scripts(tmp_path: Path) -> None:
    (tmp_path / "_login.yaml").write_text("vars: {user: null}\nsteps: ['click {{user}}']")
    (tmp_path / "people.csv").write_text("name,email\nAda,ada@example.com\n")
    text = (DOCS / "scripts.md").read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    whole = [block for block in blocks if "steps:" in block and not block.startswith("- ")]
    assert len(whole) >= 2
    for number, block in enumerate(whole):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        first_values(load_script(path), {}, is_run=False)
        jsonschema.validate(yaml.safe_load(block), json_schema())


def test_an_include_is_checked_with_its_own_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("steps:\n  - include: sub/b.yaml\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yaml").write_text("steps:\n  - wait: 0\n  - click: 3")
    with pytest.raises(BadScript, match=r"sub/b\.yaml:3:12: .*put it in quotes"):
        load_script(tmp_path / "a.yaml")
    (tmp_path / "sub" / "b.yaml").write_text("vars: {x: null}\nsteps:\n  - click: '{{x}}'\n  - click: '{{y}}'")
    with pytest.raises(BadScript) as caught:
        first_values(load_script(tmp_path / "a.yaml"), {})
    assert "b.yaml:4:12: there is no variable 'y'" in str(caught.value)
    assert "a.yaml:2:5: b.yaml needs a value for x" in str(caught.value)
    (tmp_path / "a.yaml").write_text("steps:\n  - include: sub/b.yaml\n    with: {x: 1, y: 2, z: 3}")
    with pytest.raises(BadScript, match="no variable 'z'"):
        first_values(load_script(tmp_path / "a.yaml"), {})
    (tmp_path / "sub" / "b.yaml").write_text("steps:\n  - include: ../a.yaml")
    with pytest.raises(BadScript, match=r"b\.yaml:2:14: .*includes itself: a\.yaml -> b\.yaml -> a\.yaml"):
        load_script(tmp_path / "a.yaml")


def test_values_come_from_the_command_line_before_files_environment_and_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\nb: [1, 2]\nc: {d: e}\n")
    (tmp_path / "b.json").write_text('{"a": 2, "n": null}')
    (tmp_path / ".env").write_text("# local\nexport HOST='a b'\nPORT=80 # of it\n\n")
    given = given_values(["a=3"], [tmp_path / name for name in ("a.yaml", "b.json", ".env")])
    assert given == {"a": "3", "b": [1, 2], "c": {"d": "e"}, "n": None, "HOST": "a b", "PORT": "80"}
    monkeypatch.setenv("MOONHAND_TEST_X", "of the environment")
    script = parse_script(
        "vars: {MOONHAND_TEST_X: default, y: '{{MOONHAND_TEST_X}}!'}\nenv: [MOONHAND_TEST_X]\nsteps: [back]"
    )
    assert first_values(script, {})["y"] == "of the environment!"
    assert first_values(script, {"MOONHAND_TEST_X": "given"})["y"] == "given!"
    assert fill("{{b.c}} {{secret:x}} {{ n }}", {"b": {"c": True}, "n": 1.5}) == "true {{secret:x}} 1.5"
    for pair in ("a", "=1", "a b=1"):
        with pytest.raises(BadRequest):
            given_values([pair], [])
    for name, text in (("x.yaml", "- 1"), ("x.json", "{"), ("x.env", "A B"), ("y.yaml", "a-b: 1")):
        (tmp_path / name).write_text(text)
        with pytest.raises(BadRequest, match=name):
            given_values([], [tmp_path / name])
    with pytest.raises(BadRequest, match="no script has a variable of that name"):
        check_given([script], ["y", "z"])


def test_a_folder_is_its_scripts_but_for_those_that_are_only_included(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "_login.yaml", "notes.txt"):
        (tmp_path / name).write_text("tags: [x]\nsteps: [back]" if name == "b.yaml" else "steps: [back]")
    files = script_files([str(tmp_path)])
    assert [path.name for path in files] == ["a.yml", "b.yaml"]
    assert [script.name for script in with_tags(load_scripts(files), ["x"])] == ["b"]
    with pytest.raises(BadRequest, match="there are: x"):
        with_tags(load_scripts(files), ["y"])
    with pytest.raises(BadRequest, match="put a goal in quotes"):
        script_files(["click", "A"])
    with pytest.raises(BadRequest, match=r"notes\.txt is a file whose name does not end in \.yaml or \.yml"):
        script_files([str(tmp_path / "a.yml"), str(tmp_path / "notes.txt")])
    assert script_files(["my.YAML"]) == [Path("my.YAML")]
    (tmp_path / "a.yml").write_text("steps: 3")
    (tmp_path / "b.yaml").write_text("steps: 4")
    with pytest.raises(BadScript, match=r"a\.yml:1:8: [^\n]*\n.*b\.yaml:1:8: "):
        load_scripts(files)


def test_a_csv_file_has_a_header_and_whole_rows(tmp_path: Path) -> None:
    script = tmp_path / "s.yaml"
    script.write_text("steps:\n  - repeat: {each: p, csv: p.csv}\n    steps: ['click {{p.name}}']")
    for text, told in (("", "first line"), ("name,email\nAda\n", "line 2"), ("name\nA,b\n", "line 2")):
        (tmp_path / "p.csv").write_text(text)
        with pytest.raises(BadScript, match=told):
            load_script(script)
    assert json.loads(schema_text())["title"] == "moonhand script"
