from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import llguidance
import numpy as np
import pytest
import torch
from moonhand.model import (
    BadGrammar,
    Engine,
    Grammar,
    KimiVL,
    KimiVLConfig,
    Message,
    SamplingConfig,
    Tokenizer,
    load,
)
from moonhand.model.engine import EngineConfig
from moonhand.model.guide import Grammars
from moonhand.model.sampling import choose, penalties, penalties_there

CLICK = Grammar('start: "click(x=0." N ", y=0." N ")" | "refuse()"\nN: /[0-9]{3}/\n')
FREE = Grammar(
    r"""
start: (words "\n")? call
words: /[A-Za-z ,.é]{1,30}/
call: "click(x=0." N ", y=0." N ")" | "type('" STR "')" | "wait(" S ")"
N: /[0-9]{3}/
S: /[1-9][0-9]{0,2}/
STR: /([^'\\\n]|\\['\\n]){0,12}/
"""
)
ASK = [Message("user", ("the image",))]
OTHERS = [ASK, [Message("user", ("the user",))], [Message("user", ("see the user see",))]]


@pytest.fixture(scope="module")
def engine(tiny_model: KimiVL, tokenizer: Tokenizer) -> Engine:
    return Engine(tiny_model, tokenizer, name="tiny")


@pytest.fixture(scope="module")
def step_by_step(tiny_model: KimiVL, tokenizer: Tokenizer) -> Engine:
    """The plain twin: every token read in a pass of its own."""
    return Engine(tiny_model, tokenizer, name="tiny", settings=EngineConfig(jump_forward=False))


@pytest.fixture(scope="module")
def nano() -> Engine:
    return load("nano")


def accepts(grammar: Grammar, text: str) -> bool:
    matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte"), grammar.serialized)
    return matcher.consume_tokens(list(text.encode())) and matcher.is_accepting()


def warm(grammar: Grammar | None = None, **fields: Any) -> SamplingConfig:
    return replace(SamplingConfig(temperature=2.0, max_new_tokens=150, grammar=grammar), **fields)


# What a reply may say


def test_every_reply_of_random_weights_is_in_the_language(
    tiny_config: KimiVLConfig, random_model: Callable[[KimiVLConfig, int], KimiVL], tokenizer: Tokenizer
) -> None:
    for weights in range(3):
        engine = Engine(random_model(tiny_config, weights), tokenizer, name="tiny")
        for grammar in (CLICK, FREE):
            for seed in range(12):
                found = engine.generate(ASK, warm(grammar, seed=seed))
                assert found.finish_reason == "stop"
                assert accepts(grammar, found.text), found.text


def test_a_hot_nano_answers_in_the_language(nano: Engine) -> None:
    for seed in range(10):
        found = nano.generate(ASK, warm(FREE, seed=seed))
        assert found.finish_reason == "stop"
        assert accepts(FREE, found.text), found.text


def test_a_reply_cut_short_says_so(engine: Engine) -> None:
    whole = engine.generate(ASK, warm(CLICK, seed=3))
    count = len(whole.tokens)
    for allowance in range(1, count):
        found = engine.generate(ASK, warm(CLICK, seed=3, max_new_tokens=allowance))
        assert found.finish_reason == "length"
        assert [token.id for token in found.tokens] == [token.id for token in whole.tokens[:allowance]]
    assert engine.generate(ASK, warm(CLICK, seed=3, max_new_tokens=count)).finish_reason == "stop"


def test_a_language_of_one_text_takes_no_choice(engine: Engine) -> None:
    found = engine.generate(ASK, warm(Grammar('start: "the user"')))
    assert (found.text, found.finish_reason, found.passes) == ("the user", "stop", 0)
    assert found.forced_tokens == len(found.tokens)
    assert engine.generate(ASK, warm(Grammar('start: ""'))).tokens == ()


def test_stop_ids_of_ones_own_end_a_reply_only_where_the_grammar_may_end(engine: Engine) -> None:
    stop = engine.tokenizer.encode("a")[0]
    found = engine.generate(ASK, warm(Grammar("start: /[ab]{3,9}/"), stop_ids=frozenset((stop,))))
    assert re.fullmatch("b{3,9}", found.text)


def test_a_grammar_without_a_text_is_refused_before_any_work(engine: Engine) -> None:
    with pytest.raises(BadGrammar, match="allows no text") as caught:
        engine.stream(ASK, warm(Grammar('start: start "a"')))
    assert "\n" not in str(caught.value)


def test_regular_expressions_and_json_schemas_are_grammars_too(engine: Engine) -> None:
    assert re.fullmatch("(ab|c)+!", engine.generate(ASK, warm(Grammar.regex("(ab|c){1,9}!"))).text)
    schema = {
        "type": "object",
        "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 999}, "do": {"enum": ["click", "wait"]}},
        "required": ["x", "do"],
        "additionalProperties": False,
    }
    found = json.loads(engine.generate(ASK, warm(Grammar.json_schema(schema), max_new_tokens=300)).text)
    assert 0 <= found["x"] <= 999
    assert found["do"] in ("click", "wait")
    for make, text in ((Grammar.regex, "("), (Grammar, "{")):
        with pytest.raises(BadGrammar):
            make(text)
    with pytest.raises(BadGrammar, match="JSON"):
        Grammar("[", "json_schema")


def test_the_last_grammars_are_kept(tokenizer: Tokenizer) -> None:
    grammars = Grammars(tokenizer, keep=2)
    for text in "abcab":
        grammars.guide(warm(Grammar(f'start: "{text}"')), frozenset())
    assert len(grammars) == 2


# The numbers that come with a token


def test_log_probabilities_are_of_the_unmasked_distribution(engine: Engine) -> None:
    grammar = Grammar("start: /[ab]{4}/")
    found = engine.generate(ASK, SamplingConfig(grammar=grammar, watch_ids=(5,)))
    free = engine.generate(ASK, SamplingConfig(max_new_tokens=1, watch_ids=(5, found.tokens[0].id)))
    assert found.tokens[0].watched[0] == pytest.approx(free.tokens[0].watched[0])
    assert np.exp(found.tokens[0].logprob or 0) == pytest.approx(free.tokens[0].watched[1], rel=1e-4)
    assert all((token.logprob or 0) < -1 for token in found.tokens)  # hundreds of tokens share the rest


def test_temperature_and_top_p_are_those_of_what_is_allowed() -> None:
    logits_V = torch.tensor([[0.1, 0.5, 0.3, 0.06, 0.04]]).log()
    penalty_NV = torch.tensor([[0.0, -math.inf, 0.0, 0.0, 0.0]])
    generator = torch.Generator().manual_seed(0)
    config = SamplingConfig(temperature=1.0, top_p=0.75)  # 0.3 and 0.1 are 80 % of what is left
    drawn = [choose(logits_V, [config], [generator], penalty_NV=penalty_NV)[0][0] for _ in range(2000)]
    assert set(drawn) == {0, 2}
    assert drawn.count(2) / 2000 == pytest.approx(0.75, abs=0.04)
    (greedy,) = choose(logits_V, [SamplingConfig()], [generator], penalty_NV=penalty_NV)
    assert greedy == (2, pytest.approx(np.log(0.3)))


def test_masks_are_the_same_on_every_device() -> None:
    words_NW = np.random.default_rng(0).integers(-(2**31), 2**31, (3, 17), np.int64).astype(np.int32)
    on_cpu = penalties(words_NW, 530, torch.device("cpu"))
    assert torch.equal(on_cpu, penalties_there(torch.from_numpy(words_NW), 530))
    for at in (0, 33, 529):
        assert float(on_cpu[1, at]) == (0.0 if int(words_NW[1, at // 32]) >> at % 32 & 1 else -math.inf)


# Jumping over what is forced


@pytest.mark.parametrize("temperature", [0.0, 2.0])
def test_a_jump_changes_nothing_but_the_number_of_passes(
    engine: Engine, step_by_step: Engine, nano: Engine, temperature: float
) -> None:
    in_passes = Engine(engine.model, engine.tokenizer, name="tiny", settings=EngineConfig(compiled=False))
    nano_step_by_step = load("nano", settings=EngineConfig(jump_forward=False))
    pairs = [(engine, step_by_step), (in_passes, step_by_step), (nano, nano_step_by_step)]
    for jumping, plain in pairs:
        for grammar in (CLICK, FREE):
            for seed in range(4):
                sampling = warm(grammar, seed=seed, temperature=temperature)
                found, expected = jumping.generate(ASK, sampling), plain.generate(ASK, sampling)
                assert [(token.id, token.text, token.forced) for token in found.tokens] == [
                    (token.id, token.text, token.forced) for token in expected.tokens
                ]
                assert expected.passes >= len(expected.tokens) - 1
                assert found.passes <= expected.passes - found.forced_tokens + 1
                for mine, theirs in zip(found.tokens, expected.tokens, strict=True):
                    assert theirs.logprob is not None
                    if mine.logprob is not None:
                        assert mine.logprob == pytest.approx(theirs.logprob, abs=2e-2 if jumping is nano else 1e-4)
                    else:
                        assert mine.forced


def test_forced_tokens_are_those_the_tokenizer_makes_of_the_text(nano: Engine) -> None:
    found = nano.generate(ASK, SamplingConfig(grammar=CLICK))
    assert [token.id for token in found.tokens] == nano.tokenizer.encode(found.text)
    assert found.forced_tokens == 10
    assert found.passes == 2


def test_a_first_token_that_is_forced_keeps_its_numbers(nano: Engine) -> None:
    only_click = Grammar('start: "click(x=0." /[0-9]{3}/ ")"')
    watch = (nano.tokenizer.encode("refuse")[0],)
    first, second = nano.generate(ASK, SamplingConfig(grammar=only_click, watch_ids=watch, top_logprobs=3)).tokens[:2]
    free = nano.generate(ASK, SamplingConfig(watch_ids=watch, top_logprobs=3, max_new_tokens=1)).tokens[0]
    assert first.forced
    assert (first.watched, first.top) == (free.watched, free.top)
    assert (second.forced, second.logprob, second.watched, second.top) == (True, None, (), ())


@pytest.mark.parametrize("compiled", [True, False])
def test_replies_made_together_are_those_made_alone(engine: Engine, compiled: bool) -> None:
    engine = Engine(engine.model, engine.tokenizer, name="tiny", settings=EngineConfig(compiled=compiled))
    for grammar in (CLICK, FREE):
        sampling = warm(grammar, seed=5)
        together = engine.generate_batch(OTHERS, sampling)
        for request, found in zip(OTHERS, together, strict=True):
            alone = engine.generate(request, sampling)
            assert [token.id for token in found.tokens] == [token.id for token in alone.tokens]
            assert (found.passes, found.forced_tokens) == (alone.passes, alone.forced_tokens)


def test_a_stream_yields_forced_tokens_in_their_places(engine: Engine) -> None:
    sampling = warm(FREE, seed=2)
    assert tuple(engine.stream(ASK, sampling)) == engine.generate(ASK, sampling).tokens


def test_what_was_forced_is_known_to_the_next_prompt(tiny_model: KimiVL, tokenizer: Tokenizer) -> None:
    engine, fresh = (Engine(tiny_model, tokenizer, name="tiny") for _ in range(2))
    sampling = SamplingConfig(grammar=Grammar('start: "say (" /[ab]/ ") and then, " /[ab]/ "!"'))
    ask = [Message("user", ("the image " * 6,))]
    first = engine.generate(ask, sampling)
    assert first.passes == 2
    following = [*ask, Message("assistant", (first.text,)), Message("user", ("and now?",))]
    second = engine.generate(following, sampling)
    assert second.cached_tokens == first.prompt_tokens + len(first.tokens) - 2  # but for the last choice and "!"
    expected = fresh.generate(following, sampling)
    assert [token.id for token in second.tokens] == [token.id for token in expected.tokens]
    assert second.tokens[0].logprob == pytest.approx(expected.tokens[0].logprob, abs=1e-4)


# Stop texts


def test_a_reply_ends_before_a_stop_text(engine: Engine) -> None:
    free = warm(Grammar("start: /[ -~]{60}/"), seed=4, max_new_tokens=40)
    whole = engine.generate(ASK, free).text
    for stop in (whole[3], whole[5:9], whole[20:22]):
        found = engine.generate(ASK, replace(free, stop=("never", stop)))
        assert found.text == whole[: whole.index(stop)]
        assert found.finish_reason == "stop"
        assert "".join(token.text for token in engine.stream(ASK, replace(free, stop=("never", stop)))) == found.text
    assert engine.generate(ASK, replace(free, stop=("never", whole[-3:] + "?"))).text == whole


def test_a_stop_text_ends_an_answer_that_a_grammar_would_go_on_with(engine: Engine) -> None:
    found = engine.generate(ASK, warm(Grammar('start: "the user, the image"'), stop=("r, th", "user, t")))
    assert (found.text, found.finish_reason) == ("the ", "stop")


@pytest.mark.parametrize("fields", [{"stop": "text"}, {"stop": ("",)}, {"thinking_tokens": -1}])
def test_a_senseless_setting_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        SamplingConfig(**fields)
