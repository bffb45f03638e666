"""What came of scripts as JUnit XML, in the form that Jenkins, GitLab and their like read.

A test suite is a script, a test case one of its steps as it was carried out, and each of its checks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as Xml

from .outcome import ScriptOutcome, StepResult
from .tree import Script

UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML has no form for


def junit_xml(outcomes: Sequence[ScriptOutcome], not_run: Sequence[Script] = ()) -> bytes:
    """A whole document, UTF-8. Scripts that were not run, as after Ctrl-C, are suites with one skipped case."""
    root = Xml.Element("testsuites", name="moonhand")
    for outcome in outcomes:
        root.append(_suite(outcome))
    for script in not_run:
        suite = Xml.SubElement(root, "testsuite", _counted(script.name, [], 0.0) | {"tests": "1", "skipped": "1"})
        case = Xml.SubElement(suite, "testcase", name=_text(script.name), classname=_text(script.name), time="0")
        Xml.SubElement(case, "skipped", message="the run was stopped before it")
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(outcome.took_s for outcome in outcomes):.3f}")
    Xml.indent(root)
    return Xml.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suite(outcome: ScriptOutcome) -> Xml.Element:
    script = outcome.script
    cases = [_case(script, step) for step in outcome.steps]
    for check in outcome.checks:
        case = _bare_case(script, f"check {check.js}", 0.0)
        if not check.ok:
            said = check.error or f"expected {check.equals!r}, found {check.found!r}"
            _failure(case, said, f"{script.path}: {said}")
        cases.append(case)
    ended = outcome.result is not None and outcome.result.status not in ("finished", "failed", "dry_run")
    if not outcome.is_passed and not any(case.find("failure") is not None for case in cases):
        case = _bare_case(script, "run", 0.0)  # it ended for a reason that is no step's
        kind = "error" if outcome.trouble is not None or ended else "failure"
        said = outcome.error or "it did not pass"
        why = (
            type(outcome.trouble).__name__ if outcome.trouble is not None else outcome.result and outcome.result.status
        )
        Xml.SubElement(case, kind, message=_text(said), type=str(why or kind)).text = _text(f"{script.path}: {said}")
        cases.append(case)
    attributes = _counted(script.name, cases, outcome.took_s)
    started = datetime.fromtimestamp(outcome.started_at_s, UTC)
    suite = Xml.Element(
        "testsuite", attributes | {"file": str(script.path), "timestamp": started.strftime("%Y-%m-%dT%H:%M:%S")}
    )
    told = Xml.SubElement(suite, "properties")
    about = {"tries": str(outcome.num_tries)}
    about |= {f"cache.{name}": str(value) for name, value in outcome.cache.to_json().items() if name != "folder"}
    if outcome.result is not None:
        about |= {"trajectory": str(outcome.result.path), "status": outcome.result.status}
    for name, value in about.items():
        Xml.SubElement(told, "property", name=name, value=_text(value))
    suite.extend(cases)
    return suite


def _case(script: Script, step: StepResult) -> Xml.Element:
    case = _bare_case(script, f"{step.number} {step.said}", step.took_s)
    if step.status == "failed":
        _failure(case, step.error or "", f"{step.spot}: {step.said}\n{step.error}")
    elif step.status in ("tolerated", "not reached"):
        why = (
            f"optional: {step.error}"
            if step.status == "tolerated"
            else "the run ended before it, or in the midst of it"
        )
        Xml.SubElement(case, "skipped", message=_text(why))
    said = [f"{step.spot}", f"found: {step.found}" if step.found else "", f"how: {step.how}" if step.how else ""]
    if step.confidence is not None:
        said.append(f"confidence: {step.confidence:.0%}{', unsure' if step.is_unsure else ''}")
    said += [f"tries: {step.num_tries}" if step.num_tries > 1 else ""]
    said += [f"[[ATTACHMENT|{step.picture.resolve()}]]" if step.picture is not None else ""]
    Xml.SubElement(case, "system-out").text = _text("\n".join(filter(None, said)))
    return case


def _bare_case(script: Script, name: str, took_s: float) -> Xml.Element:
    return Xml.Element("testcase", name=_text(name), classname=_text(script.name), time=f"{took_s:.3f}")


def _failure(case: Xml.Element, said: str, text: str) -> None:
    Xml.SubElement(case, "failure", message=_text(said), type="failure").text = _text(text)


def _counted(name: str, cases: Sequence[Xml.Element], took_s: float) -> dict[str, str]:
    counts = {kind: sum(case.find(tag) is not None for case in cases) for kind, tag in KINDS}
    return {"name": _text(name), "tests": str(len(cases)), "time": f"{took_s:.3f}"} | {
        kind: str(count) for kind, count in counts.items()
    }


KINDS = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))


def _text(text: str) -> str:
    return UNWRITABLE.sub("?", text)
