"""A short run of the fuzzer (`make fuzz` is the long one), and the longest replies, which must not take longer each."""

from __future__ import annotations

import time
from contextlib import suppress

import fuzz_dialects
import pytest
from moonhand.agent import ParseError
from moonhand.agent.dialects import DIALECTS

NUM_CHARS = 100_000
STARTS = ("", "click(", "write('", "Action: ", '{"action": "', "<tool_call>", "```python\n", "Thought: ")
MORE = (
    "'\\'",
    '"\\"',
    "\\'",
    "a ",
    "Action:\n",
    "```\nAction:",
    "<think>",
    "click(x=",
    "{'a':[",
    " \n",
    "0",
    "0,",
    "(0 ",
    "##",
    "\t",
)


def test_nothing_but_a_parse_error_comes_of_random_replies() -> None:
    findings = fuzz_dialects.attack(seed=20261122, count=1500)
    assert findings.failures == []
    assert set(findings.read) == set(DIALECTS), "every dialect should read some of them"


UNITS = tuple(dict.fromkeys((*MORE, *fuzz_dialects.ODD[:12], *fuzz_dialects.PIECES)))


@pytest.mark.slow
@pytest.mark.parametrize("name", DIALECTS)
def test_a_long_reply_takes_time_by_its_length_alone(name: str) -> None:
    few = [(STARTS[at % len(STARTS)], unit) for at, unit in enumerate(UNITS[::3])]
    assert slow_replies(name, few) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DIALECTS)
def test_no_long_reply_of_any_pieces_takes_a_second(name: str) -> None:
    assert slow_replies(name, [(start, unit) for start in STARTS for unit in UNITS]) == []


def slow_replies(name: str, made_of: list[tuple[str, str]]) -> list[str]:
    slow: list[str] = []
    for start, unit in made_of:
        text = start + unit * (NUM_CHARS // len(unit))
        began = time.thread_time()
        with suppress(ParseError):
            DIALECTS[name].read(text, fuzz_dialects.CANVAS)
        if (took_s := time.thread_time() - began) > fuzz_dialects.SLOWEST_S:
            slow.append(f"{took_s:.1f} s: {start} and then {unit!r} again and again")
    return slow
