"""A model behind a server answers as the same model in this process does.

The server is a stand-in for vLLM (`served_nano.py`): real HTTP, nano's own replies, vLLM's documented fields.
"""

from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import llguidance
import numpy as np
import pytest
import torch
from moonhand.agent import KimiPolicy, Target, default_viewport, locate
from moonhand.agent.dialects import DIALECTS, whole_canvas
from moonhand.envs import Frame
from moonhand.model import (
    BadConfig,
    BadGrammar,
    BadImage,
    ContextTooLong,
    Engine,
    Grammar,
    HttpConfig,
    Message,
    NoRemote,
    Picture,
    RemoteConfig,
    RemoteEngine,
    RemoteWarning,
    SamplingConfig,
    load,
    open_model,
    open_remote,
)
from moonhand.model.errors import RemoteTimedOut
from moonhand.model.remote_wire import after_thought
from moonhand.tasks.cli import app
from moonhand.tasks.console import ModelChoice
from moonhand.tasks.errors import BadRequest
from PIL import Image, ImageDraw
from served_nano import Behaviour, serving
from typer.testing import CliRunner

CLICK_FORM = r"click\(x=0\.\d{3}, y=0\.\d{3}\)"
CLICK = Grammar('start: "click(x=0." /[0-9]{3}/ ", y=0." /[0-9]{3}/ ")"')
QUICK = RemoteConfig(http=HttpConfig(connect_s=2, reply_s=20, attempts=3, first_wait_s=0.05, longest_wait_s=2))


@pytest.fixture(scope="module")
def nano() -> Generator[Engine]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load("nano", device="cpu", dtype="float32")
    torch.set_num_threads(num_threads)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOONHAND_API_KEY", "OPENAI_API_KEY", "MOONHAND_DEVICE", "MOONHAND_DTYPE", "MOONHAND_QUANTIZE"):
        monkeypatch.delenv(name, raising=False)


def form() -> Frame:
    image = Image.new("RGB", (280, 196), "white")
    draw = ImageDraw.Draw(image)
    for left, label, colour in ((20, "Cancel", (150, 150, 150)), (160, "Save", (40, 90, 200))):
        draw.rectangle((left, 120, left + 90, 150), fill=colour)
        draw.text((left + 25, 129), label, fill="white")
    return Frame(np.asarray(image))


FRAME = form()
ASK = [Message("user", (Picture(FRAME.pixels_HW3), "Save"))]


@contextmanager
def remote(
    nano: Engine, how: Behaviour | None = None, settings: RemoteConfig = QUICK, name: str = "nano"
) -> Generator[tuple[RemoteEngine, Behaviour, list[str]]]:
    """The engine, the server's behaviour with the requests after the first, and what was said when it was opened."""
    how, said = how or Behaviour(), list[str]()
    with serving(nano, how) as url:
        engine = open_remote(f"openai:{url}#{name}", settings, say=said.append)
        how.bodies.clear()
        try:
            yield engine, how, said
        finally:
            engine.close()


def told(target: Target) -> tuple[object, ...]:
    return target.point, target.refused, target.raw, target.model, target.error


def test_a_server_points_where_the_same_model_does_here(nano: Engine) -> None:
    with remote(nano) as (engine, how, said):
        assert said == []
        assert engine.abilities.grammar == "vllm"
        for instruction in ("Save", "Cancel", "the Name field"):
            here, there = locate(nano, FRAME, instruction, modes=1), locate(engine, FRAME, instruction, modes=1)
            assert told(there) == told(here)
            assert there.certainty is not None
            assert here.certainty is not None
            assert there.certainty.refusal == pytest.approx(here.certainty.refusal, abs=0.01)
        assert len(how.bodies) == 3


def test_the_whole_distribution_gives_the_confidence_of_an_engine_here(nano: Engine) -> None:
    with remote(nano, settings=replace(QUICK, top_logprobs=1200)) as (engine, how, _):
        all_told = locate(engine, FRAME, "Save", modes=1)
        elsewhere, here = (locate(asked, FRAME, "a purple elephant", modes=2) for asked in (engine, nano))
        assert [mode.at for mode in elsewhere.modes] == [mode.at for mode in here.modes]
        assert len(elsewhere.modes) > 1, "other places in x are asked for by continuing the reply"
        assert how.bodies[2]["continue_final_message"] is True
        assert how.bodies[2]["messages"][-1]["content"].startswith("click(x=0.")
    with remote(nano) as (engine, _, _):
        few_told = locate(engine, FRAME, "Save", modes=1)
    calibration, nano.calibration = nano.calibration, None
    here = locate(nano, FRAME, "Save", modes=1)
    nano.calibration = calibration
    assert all_told.confidence == pytest.approx(here.confidence, abs=0.02)
    assert few_told.confidence is not None
    assert here.confidence is not None
    assert 0 < few_told.confidence < here.confidence, "what a server does not tell counts as doubt"
    assert few_told.belief is not None


def test_without_log_probabilities_there_is_a_point_and_no_confidence(nano: Engine) -> None:
    with remote(nano, Behaviour(logprobs=False)) as (engine, how, said):
        target = locate(engine, FRAME, "Save")
        assert target.point == locate(nano, FRAME, "Save").point
        assert (target.confidence, target.belief) == (None, None)
        assert "logprobs" not in how.bodies[0]
    assert said == ["the server tells no log-probabilities: there is no confidence and no heat map"]


def test_the_screenshot_is_sent_as_it_is_and_the_sampling_with_it(nano: Engine) -> None:
    sampling = SamplingConfig(temperature=0.5, top_p=0.9, seed=7, max_new_tokens=40, stop=("##",), grammar=CLICK)
    with remote(nano) as (engine, how, _):
        found = engine.generate(ASK, sampling)
        (body,) = how.bodies
    assert found.text == nano.generate(ASK, sampling).text
    picture, text = body["messages"][0]["content"]
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    seen_HW3 = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert np.array_equal(seen_HW3, FRAME.pixels_HW3)
    assert text == {"type": "text", "text": "Save"}
    del body["messages"]
    assert body == {
        "model": "nano",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 40,
        "seed": 7,
        "stop": ["##"],
        "logprobs": True,
        "top_logprobs": 20,
        "structured_outputs": {"grammar": f"%llguidance {{}}\n{CLICK.text}"},
    }


def test_the_counts_of_a_reply_are_the_servers_and_of_its_pictures_our_own(nano: Engine) -> None:
    with remote(nano) as (engine, _, _):
        there = engine.generate(ASK, SamplingConfig(max_new_tokens=5))
    here = nano.generate(ASK, SamplingConfig(max_new_tokens=5))
    assert (there.finish_reason, there.text, len(there.tokens)) == ("length", here.text, 5)
    assert (there.prompt_tokens, there.image_tokens) == (here.prompt_tokens, here.image_tokens)
    assert [token.text for token in there.tokens] == [token.text for token in here.tokens]
    for one, other in zip(there.tokens, here.tokens, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=0.01)


def test_a_reply_comes_in_pieces(nano: Engine) -> None:
    sampling = SamplingConfig(grammar=CLICK)
    for shown in (True, False):
        with remote(nano, Behaviour(logprobs=shown)) as (engine, _, _):
            pieces = list(engine.stream(ASK, sampling))
            assert "".join(piece.text for piece in pieces) == nano.generate(ASK, sampling).text
            assert (pieces[0].logprob is not None) == shown


def test_a_thought_that_comes_apart_is_a_thought(nano: Engine) -> None:
    with remote(nano, Behaviour(thought="a blue button", grammar="ignored")) as (engine, _, _):
        found = engine.generate(ASK, SamplingConfig(max_new_tokens=40))
        target = locate(engine, FRAME, "Save", modes=1)
    assert (found.thinking, found.thought_finished) == ("a blue button", True)
    assert found.text == f"\u25c1think\u25b7a blue button\u25c1/think\u25b7{found.answer}"
    assert target.point == locate(nano, FRAME, "Save").point
    assert target.confidence is not None


def test_steps_are_worked_through_as_with_an_engine_here(nano: Engine) -> None:
    with remote(nano) as (engine, _, _):
        for goal in ('type "Ada" into Save', "click Cancel"):
            here, there = KimiPolicy(nano), KimiPolicy(engine)
            assert there.profile == here.profile
            expected = here.read(here.reply(goal, FRAME, []), FRAME).actions
            assert there.read(there.reply(goal, FRAME, []), FRAME).actions == expected
        manifest = there.manifest()["model"]
    assert manifest["remote"]["server"] == "vllm"
    assert manifest["image_processor"] == nano.manifest()["image_processor"]


def test_many_ask_at_once_and_get_their_own_answers(nano: Engine) -> None:
    words = ["Save", "Cancel", "the Name field"]
    with remote(nano, Behaviour(slow_s=0.1)) as (engine, how, _):
        with ThreadPoolExecutor(3) as pool:
            there = list(pool.map(partial(locate, engine, FRAME, modes=1), words))
        batch = engine.generate_batch([ASK, ASK, ASK], SamplingConfig(max_new_tokens=3))
        assert how.at_once >= 3
    assert [target.point for target in there] == [locate(nano, FRAME, text, modes=1).point for text in words]
    assert len({reply.text for reply in batch}) == 1


def test_a_busy_server_is_asked_again_when_it_says(nano: Engine) -> None:
    with remote(nano) as (engine, how, _):
        how.troubles = [(429, {"Retry-After": "0.5"}), (503, {})]
        started_s = time.monotonic()
        assert engine.generate(ASK, SamplingConfig(max_new_tokens=1)).text
        assert time.monotonic() - started_s > 0.5
        assert len(how.bodies) == 3
        how.troubles = [(429, {"Retry-After": "900"})]
        with pytest.raises(NoRemote, match=r"asks to wait 900 s, more than the 2 s"):
            engine.generate(ASK)
        how.troubles = [(500, {})] * 3
        with pytest.raises(NoRemote, match=r"gives no reply \(500: not now\)"):
            engine.generate(ASK)
        assert how.troubles == []


def test_a_reply_that_breaks_off_is_asked_for_again(nano: Engine) -> None:
    with remote(nano) as (engine, how, _):
        how.cuts = 1
        assert engine.generate(ASK, SamplingConfig(max_new_tokens=1)).text
        how.cuts = 9
        with pytest.raises(NoRemote, match=r"the connection to http://127\S+ was lost"):
            engine.generate(ASK, SamplingConfig(max_new_tokens=1))
        assert len(how.bodies) == 2 + QUICK.http.attempts


def test_a_server_that_takes_too_long_is_given_up(nano: Engine) -> None:
    hasty = replace(QUICK, http=replace(QUICK.http, reply_s=0.4))
    with remote(nano, settings=hasty) as (engine, how, _):
        how.slow_s = 1.0
        with pytest.raises(RemoteTimedOut, match=r"sent nothing for 0\.4 s"):
            engine.generate(ASK)
        assert len(how.bodies) == 1, "another try would only add to its load"


def test_a_model_that_is_not_served_is_told_with_those_that_are(nano: Engine) -> None:
    with serving(nano, Behaviour(names=("nano", "gui"))) as url:
        with pytest.raises(NoRemote, match="does not serve 'kimi', it serves nano, gui: correct the name behind #"):
            open_remote(f"openai:{url}#kimi")
        with pytest.raises(NoRemote, match=f"serves nano, gui: choose one with --model openai:{url}#NAME"):
            open_remote(f"openai:{url}")
        with pytest.raises(NoRemote, match="is not there"):
            open_remote(f"openai:{url}/more#nano")


def test_a_server_that_counts_otherwise_is_told_with_both_numbers(nano: Engine) -> None:
    with remote(nano, Behaviour(more_tokens=3)) as (_, _, said):
        (remark,) = said
    assert "a 112x84 px picture and 'What is in the picture?' are " in remark
    assert "prompt tokens on the server" in remark
    with serving(nano, Behaviour(more_tokens=3)) as url, pytest.warns(RemoteWarning, match="by our count"):
        open_model(f"openai:{url}#nano").generate(ASK, SamplingConfig(max_new_tokens=1))


def test_the_servers_count_decides_how_large_pictures_are_seen(nano: Engine) -> None:
    """26 tokens and the picture's own, by the published template: 1196 at 16384 patches, 1075 at 4096."""
    name = "moonshotai/Kimi-VL-A3B-Instruct"
    with remote(nano, Behaviour(names=(name,), prompt_tokens=1101), name=name) as (engine, _, said):
        assert said == []
        assert (engine.config.image.in_token_limit, engine.name) == (4096, name)
    with remote(nano, Behaviour(names=(name,), prompt_tokens=1222), name=name) as (engine, _, said):
        assert engine.config.image.in_token_limit == 16384
        assert "are 1222 prompt tokens on the server, 1101 as" in said[0]


def test_a_grammar_that_is_not_kept_or_not_taken_is_told(nano: Engine) -> None:
    with remote(nano, Behaviour(grammar="ignored")) as (engine, how, said):
        assert "takes a grammar and does not keep to it" in said[0]
        locate(engine, FRAME, "Save")
        assert "structured_outputs" not in how.bodies[0]
    with remote(nano, Behaviour(grammar="refused")) as (engine, _, said):
        assert said[0].endswith("refuses the request (400): structured_outputs: no such field")
        assert engine.abilities.grammar is None
        assert engine.abilities.top_logprobs == 20
    with remote(nano, Behaviour(about={"owned_by": "somebody"})) as (engine, how, said):
        assert "takes JSON schemas only" in said[0]
        assert engine.abilities.server == "openai"
        assert locate(engine, FRAME, "a purple elephant").point is not None
        assert len(how.bodies) == 1, "its protocol may know no reply that is continued: other places are not asked for"
    with remote(nano, Behaviour(version="0.11.2", grammar="ignored")) as (engine, _, _):
        assert engine.abilities.version == "0.11.2"


def test_a_picture_too_large_to_send_is_refused_before_it_is_sent(nano: Engine) -> None:
    noise = Picture(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8))
    with remote(nano, settings=replace(QUICK, max_image_bytes=10_000)) as (engine, how, _):
        with pytest.raises(BadImage, match=r"90x90 px picture is 0\.0 MB as PNG, more than the 0\.0 MB"):
            engine.generate([Message("user", (noise,))])
        assert how.bodies == []


def follows(grammar: Grammar, text: str) -> bool:
    """Whether llguidance, which is what holds vLLM to such a grammar too, takes the text from end to end."""
    matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte"), grammar.serialized, log_level=0)
    return all(matcher.consume_token(byte) for byte in text.encode()) and matcher.is_accepting()


def test_a_thought_may_come_before_what_a_grammar_allows(nano: Engine) -> None:
    both = after_thought(CLICK)
    click, thought = "click(x=0.123, y=0.456)", "\u25c1think\u25b7so\nrefuse()? \u25c1no\u25c1/think\u25b7"
    for text in (click, thought + click, f"{thought}\n\n{click}"):
        assert follows(both, text), text
    for text in ("\u25c1think\u25b7so", thought, f"{thought}{click}!", f"{thought}refuse()", f"so {click}"):
        assert not follows(both, text), text
    with pytest.raises(BadGrammar, match="no other rule uses"):
        after_thought(Grammar('start: "a" start | "b"'))
    sampling = SamplingConfig(grammar=CLICK, thinking_tokens=20, max_new_tokens=60)
    with remote(nano) as (engine, how, _):
        assert re.fullmatch(CLICK_FORM, engine.generate(ASK, sampling).answer)
        assert how.bodies[0]["structured_outputs"]["grammar"].endswith(both.text)


def test_every_dialect_can_be_asked_for_behind_a_thought() -> None:
    for dialect in DIALECTS.values():
        grammar = Grammar(dialect.grammar(whole_canvas(FRAME.size), frozenset(("click", "finish"))))
        assert "thought_before" in after_thought(grammar).text


def test_a_prompt_too_long_for_the_server_is_told_as_such(nano: Engine) -> None:
    with remote(nano) as (engine, how, _):
        how.troubles, how.trouble = [(400, {})], "This model's maximum context length is 4096 tokens."
        with pytest.raises(ContextTooLong, match="maximum context length is 4096 tokens"):
            engine.generate(ASK)
        how.troubles, how.trouble = [(413, {})], "too large"
        with pytest.raises(NoRemote, match="does not take a request of this size"):
            engine.generate(ASK)


def test_a_server_takes_no_flags_of_a_model_that_is_loaded_here() -> None:
    for choice in (ModelChoice("openai:http://h/v1#x", dtype="float32"), ModelChoice("openai:http://h/v1", "cuda:1")):
        with pytest.raises(BadRequest, match="has its model loaded already; leave that out"):
            choice.load()
    with pytest.raises(BadConfig, match="is a server's address"):
        load("openai:http://h/v1#x")
    assert default_viewport("openai:http://h/v1#nano") == default_viewport("nano")


def test_a_command_says_in_one_line_that_no_server_is_there(tmp_path: Path) -> None:
    Image.fromarray(FRAME.pixels_HW3).save(tmp_path / "form.png")
    words = ["ground", str(tmp_path / "form.png"), "Save", "--model", "openai:http://127.0.0.1:9/v1#nano"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 4
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("error: no server answers at http://127.0.0.1:9/v1 (")
    assert line.endswith("check that it runs, has loaded its model, and that host and port are right")


def test_the_command_line_asks_a_server(nano: Engine, tmp_path: Path) -> None:
    Image.fromarray(FRAME.pixels_HW3).save(tmp_path / "form.png")
    with serving(nano, Behaviour(more_tokens=1)) as url:
        words = ["ground", str(tmp_path / "form.png"), "Save", "--json", "--model", f"openai:{url}#nano"]
        ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.stderr
    assert "warning: a 112x84 px picture" in " ".join(ended.stderr.split())
    found, here = json.loads(ended.stdout), locate(nano, FRAME, "Save")
    assert (found["x_px"], found["y_px"], found["model"]) == (here.x_px, here.y_px, "nano")
