"""`moonhand run` for scripts: one, several, stopped; what it prints, writes and leaves with."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from moonhand.agent import read_trajectory
from moonhand.envs import Click
from moonhand.tasks.cli import app
from typer.testing import CliRunner

pytestmark = pytest.mark.browser

PAGE = "<title>one</title><body style='margin:0'><button style='width:100vw;height:100vh' onclick='window.n=1'>Go"
WITH_VIEWPORT = "viewport: 300x200\n"
# The children and attributes that Jenkins' xunit schema (junit-10.xsd) gives each element.
JUNIT = {
    "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"properties", "testcase", "system-out", "system-err", "testsuite"},
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "file"},
    ),
    "properties": ({"property"}, set[str]()),
    "property": (set[str](), {"name", "value"}),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"},
        {"name", "classname", "time"},
    ),
    "skipped": (set[str](), {"message", "type"}),
    "failure": (set[str](), {"message", "type"}),
    "error": (set[str](), {"message", "type"}),
    "system-out": (set[str](), set[str]()),
}


def moonhand(*arguments: str | Path, typed: str = "") -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed, catch_exceptions=False)


@pytest.fixture(scope="module")
def url(serve: Callable[[dict[str, str]], str]) -> str:
    return serve({"/": PAGE})


def check_junit(path: Path) -> Xml.Element:
    root = Xml.parse(path).getroot()
    for element in root.iter():
        children, attributes = JUNIT[element.tag]
        assert {child.tag for child in element} <= children, element.tag
        assert set(element.attrib) <= attributes, element.attrib
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
    return root


def test_a_folder_is_run_script_by_script_and_told_as_a_table_xml_and_page(
    url: str, middle_checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "a.yaml").write_text(
        f"{WITH_VIEWPORT}url: {url}\nname: <All> good\nvars: {{x: 1}}\nsteps:\n  - click: Go\n"
        "  - extract: { as: n, js: window.n }\n  - expect: { var: n, equals: '{{x}}' }\n"
    )
    (folder / "b.yaml").write_text(
        f"{WITH_VIEWPORT}url: {url}\nsteps:\n  - wait: 0\n  - expect: {{ see: Thanks, timeout_s: 0 }}\n  - wait: 0\n"
    )
    (folder / "_part.yaml").write_text("steps: 3")
    xml, page = tmp_path / "out.xml", tmp_path / "out.html"
    flags = ("--model", middle_checkpoint, "--junit", xml, "--report", page, "--out", tmp_path / "runs", "--json")
    left = moonhand("run", folder, "--var", "x=1", *flags)
    assert left.exit_code == 1, left.stderr
    told = json.loads(left.stdout)
    assert (told["passed"], told["failed"], told["not_run"]) == (1, 1, 0)
    good, bad = told["scripts"]
    assert (good["status"], good["success"], good["variables"], good["cache"]["asked"]) == (
        "finished",
        True,
        {"n": 1},
        1,
    )
    assert [step["how"] for step in good["script_steps"]] == ["model", "page", None]
    assert f"{folder}/b.yaml:5: expected 'Thanks'" in bad["error"]
    assert "passed" in left.stderr
    assert f"\nb: {bad['error']}\n" in left.stderr, "the whole reason, in one line"
    assert "js: window.n" in (tmp_path / "runs" / "01_a" / "steps.jsonl").read_text()
    assert "<All> good" in left.stderr
    assert read_trajectory(tmp_path / "runs" / "01_a").run["status"] == "finished"

    one, other = check_junit(xml)
    assert one.attrib["name"] == "<All> good"
    assert (other.attrib["tests"], other.attrib["failures"]) == ("3", "1")
    failure = other.find("testcase/failure")
    assert failure is not None
    assert failure.text is not None
    assert f"{folder}/b.yaml:5: " in failure.text
    pictures = [line for line in (other.findtext("testcase[2]/system-out") or "").splitlines() if "ATTACHMENT" in line]
    assert Path(pictures[0].removeprefix("[[ATTACHMENT|").removesuffix("]]")).is_file()

    html = page.read_text(encoding="utf-8")
    assert "&lt;All&gt; good" in html
    assert "<All>" not in html
    assert html.count("data:image/webp") == 4, "a click, a value that was read, a wait, a failure"
    assert 'src="http' not in html
    assert 'href="runs/01_a/view.html"' in html
    assert (tmp_path / "runs" / "01_a" / "view.html").is_file()


def test_ctrl_c_leaves_reports_of_what_was_done(url: str, middle_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"url: {url}\nsteps: [press a, press a, {{wait: 600}}, press b]\n")
    (tmp_path / "b.yaml").write_text(f"url: {url}\nsteps: [back]")
    steps, xml, page = tmp_path / "run" / "01_a" / "steps.jsonl", tmp_path / "out.xml", tmp_path / "out.html"

    def stop() -> None:
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s and not (steps.exists() and steps.read_bytes().count(b"\n") > 1):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=stop)
    thread.start()
    flags = ("--out", tmp_path / "run", "--junit", xml, "--report", page, "--json")
    left = moonhand("run", tmp_path / "a.yaml", tmp_path / "b.yaml", *flags)
    thread.join()
    assert left.exit_code == 130, left.stderr
    told = json.loads(left.stdout)
    assert (told["passed"], told["failed"], told["not_run"]) == (0, 1, 1)
    found = [step["status"] for step in told["scripts"][0]["script_steps"]]
    assert (found[0], found[2:]) == ("passed", ["not reached"] * 2), "the second may be over or not"
    assert read_trajectory(tmp_path / "run" / "01_a").run["status"] == "stopped"
    first, second = check_junit(xml)
    assert len(first.findall("testcase/skipped")) == found.count("not reached")
    assert second.find("testcase/skipped") is not None
    assert "1 not run" in page.read_text(encoding="utf-8")


def test_a_script_that_fails_is_tried_again_on_a_fresh_page(url: str, tmp_path: Path) -> None:
    script = tmp_path / "a.yaml"
    script.write_text(f"url: {url}\nretries: 1\nsteps:\n  - expect: {{ js: window.n, timeout_s: 0 }}\n")
    left = moonhand("run", script, "--out", tmp_path / "run", "--json")
    assert left.exit_code == 1, left.stderr
    told = json.loads(left.stdout)
    assert (told["tries"], told["trajectory"]) == (2, str(tmp_path / "run_try2"))
    assert (tmp_path / "run" / "failed-1.png").is_file()


def test_a_check_that_does_not_hold_is_told_though_all_steps_were_done(url: str, tmp_path: Path) -> None:
    script = tmp_path / "a.yaml"
    script.write_text(f"url: {url}\nsteps: [{{wait: 0}}]\ncheck: {{js: document.title, equals: two}}")
    left = moonhand("run", script, "--out", tmp_path / "run")
    assert left.exit_code == 1, left.stderr
    assert "failed: all 2 steps were done, but not all checks hold: 1 of 1 is wrong" in left.stderr


def test_step_by_step_a_person_says_what_is_done(url: str, middle_checkpoint: Path, tmp_path: Path) -> None:
    script = tmp_path / "a.yaml"
    script.write_text(f"{WITH_VIEWPORT}url: {url}\nsteps: [{{click: Go}}, {{key: a}}, {{click: Go}}, {{key: b}}]")
    flags = ("--model", middle_checkpoint, "--out", tmp_path / "run")
    left = moonhand("run", script, *flags, "--step", typed="y\nskip\nedit 20,30\nquit\n")
    assert left.exit_code == 130, left.stderr
    steps = read_trajectory(tmp_path / "run").steps
    assert [step.decision for step in steps] == ["yes", "skip", "instead", "stop"]
    assert [(step.action.x_px, step.action.y_px) for step in steps if isinstance(step.action, Click)][1] == (20, 30)
    assert not (tmp_path / ".moonhand").exists()


@pytest.mark.display
def test_a_script_works_on_a_display_too(tmp_path: Path) -> None:
    script = tmp_path / "a.yaml"
    script.write_text(
        "steps:\n  - press a\n  - expect: {title: no such window, absent: true, timeout_s: 0}\n    optional: true\n"
        "  - expect: {js: '1', timeout_s: 0}\n    continue_on_error: true\n"
    )
    left = moonhand("run", script, "--virtual", "320x200", "--out", tmp_path / "a", "--json")
    assert left.exit_code == 2, "nothing there answers JavaScript"
    script.write_text("steps: [press a, {repeat: {times: 2}, steps: [press b]}]")
    left = moonhand("run", script, "--virtual", "320x200", "--out", tmp_path / "run", "--json")
    assert left.exit_code == 0, left.stderr
    told = json.loads(left.stdout)
    assert (told["status"], told["success"], told["steps"]) == ("finished", None, 4)


def test_a_page_that_cannot_be_opened_is_told_in_reports_too(tmp_path: Path) -> None:
    script, xml = tmp_path / "a.yaml", tmp_path / "out.xml"
    script.write_text("url: http://127.0.0.1:9/\nsteps: [back]")
    left = moonhand("run", script, "--out", tmp_path / "run", "--junit", xml, "--report", tmp_path / "a.html", "--json")
    assert left.exit_code == 3, left.stderr
    assert "127.0.0.1:9" in json.loads(left.stdout)["error"]
    (suite,) = check_junit(xml)
    assert suite.attrib["errors"] == "1"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--check", "good.yaml"), 0, "ok: "),
        (("--check", "good.yaml", "bad.yaml"), 2, "bad.yaml:3:5: "),
        (("--check", "includes_bad.yaml"), 2, "bad.yaml:3:5: "),
        (("good.yaml",), 2, "email has no value"),
        (("good.yaml", "--var", "emial=x"), 2, "no script has a variable of that name"),
        (("good.yaml", "--var", "email"), 2, "is not NAME=VALUE"),
        (("good.yaml", "--var", "email=x"), 2, "choose one screen"),
        (("good.yaml", "--var", "email=x", "--url", "about:blank", "--junit", "out.txt"), 2, "it is written as .xml"),
        (("good.yaml", "--var", "email=x", "--url", "about:blank", "--report", "out.txt"), 2, ".html"),
        (("do.yaml", "--url", "about:blank"), 2, "do.yaml:2:5: "),
        (("click Go", "--url", "about:blank", "--var", "a=b"), 2, "--var: only for scripts"),
        (("click", "Go"), 2, "put a goal in quotes"),
        (("good.yaml", "--tag", "slow"), 2, "no script has that tag"),
        (("good.txt",), 2, "good.txt is a file whose name does not end in .yaml or .yml"),
        (("--check", "GOOD.YAML"), 0, "ok: "),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(
    arguments: tuple[str, ...],
    code: int,
    told: str,
    middle_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "good.yaml").write_text("vars: {email: null}\nsteps:\n  - type: {text: '{{email}}'}")
    for name in ("GOOD.YAML", "good.txt"):
        (tmp_path / name).write_text("steps: [back]")
    (tmp_path / "bad.yaml").write_text("steps:\n  - wait: 0\n  - clikc: a")
    (tmp_path / "includes_bad.yaml").write_text("steps: [{include: bad.yaml}]")
    (tmp_path / "do.yaml").write_text("steps:\n  - do: buy the cheapest")
    monkeypatch.chdir(tmp_path)
    left = moonhand("run", *arguments, "--model", middle_checkpoint, "--json")
    assert (left.exit_code, told in left.stderr) == (code, True), left.stderr
    assert isinstance(json.loads(left.stdout), dict)
    assert not (tmp_path / "runs").exists()
