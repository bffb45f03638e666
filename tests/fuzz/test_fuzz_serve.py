"""The worst of what may be sent, to a server in this process; `fuzz_serve.py` sends two thousand to the command."""

from __future__ import annotations

import json
import random
from collections.abc import Generator

import fuzz_serve
import pytest
import torch
from moonhand.model import load
from moonhand.model.scheduler import Scheduler, SchedulerConfig
from moonhand.tasks.serve.app import make_app
from moonhand.tasks.serve.config import ServeConfig
from moonhand.tasks.serve.running import serving

LIMIT = 1 << 20


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with Scheduler(load("nano", device="cpu"), SchedulerConfig(max_running=2, context_tokens=2048)) as scheduler:
        app = make_app(scheduler, ServeConfig(max_body_bytes=LIMIT, grammar_cpu_s=0.3))
        with serving(app) as found:
            yield found
    torch.set_num_threads(num_threads)


def test_every_hostile_request_gets_a_message_and_the_server_goes_on(url: str) -> None:
    chosen = fuzz_serve.cases(LIMIT, every_field=False)
    found = fuzz_serve.attack(url, chosen)
    assert found.failures == []
    assert found.statuses.total() == len(chosen)
    good = fuzz_serve.Case("good", json.dumps(fuzz_serve.GOOD).encode(), may_pass=True)
    assert fuzz_serve.attack(url, [good]).statuses == {200: 1}


@pytest.mark.slow
def test_requests_with_a_part_changed_at_random_get_a_reply_or_a_message(url: str) -> None:
    rng = random.Random(20261123)
    chosen = fuzz_serve.cases(LIMIT) + [fuzz_serve.mutated(rng) for _ in range(200)]
    assert fuzz_serve.attack(url, chosen).failures == []


def test_broken_http_gets_a_4xx_or_nothing(url: str) -> None:
    found = fuzz_serve.attack_raw(url, LIMIT)
    assert found.failures == []
    assert found.statuses[400] + found.statuses[413] > 0  # who is cut off while still sending may not hear why
