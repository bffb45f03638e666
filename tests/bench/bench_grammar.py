"""What a grammar costs at the published vocabulary's size, and what jumping over forced tokens saves.

    python tests/bench/bench_grammar.py [--models nano,small,kimi3] [--rounds N] [--device D]

The vocabulary of 163,840 is invented: the published one's size, numbers of up to three digits as single tokens, the
rest merged at random. Models but nano have random weights; so every contender writes the same reply, and the ways of
making it take turns. Times are medians. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from moonhand.model import Engine, Generation, Grammar, Message, Picture, SamplingConfig, Tokenizer
from moonhand.model.engine import EngineConfig, checkpoint_folder
from moonhand.model.grammar import draw
from moonhand.model.guide import Grammars, Guide
from moonhand.model.sampling import choose, penalties
from moonhand.tasks.model_bench.measure import interleave
from moonhand.tasks.model_bench.subject import Request, build

T = TypeVar("T")

BASE = 163_840 - 256
POINT = Grammar('start: "click(x=0." N ", y=0." N ")" | "refuse()"\nN: /[0-9]{3}/')
CLICK = Grammar('start: "click(x=0." N ", y=0." N ")"\nN: /[0-9]{3}/')  # for weights that know no click
GRAMMARS = {
    "a click or a refusal": POINT,
    "free words, then one of five calls": Grammar(
        r"""
start: (WORDS "\n")? call
WORDS: /[^\n]{1,200}/
call: "click(" place ")" | "drag(" place ", to_" place ")" | "type('" TEXT "')" | "press('" KEY "')" | "wait(" N ")"
place: "x=0." N ", y=0." N
N: /[0-9]{3}/
KEY: "enter" | "escape" | "ctrl+" /[a-z]/
TEXT: /([^'\\\n]|\\['\\n]){0,200}/
"""
    ),
    "JSON of a schema": Grammar.json_schema(
        {
            "type": "object",
            "properties": {
                "action": {"enum": ["left_click", "type", "key", "wait"]},
                "coordinate": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
                "text": {"type": "string", "maxLength": 200},
            },
            "required": ["action"],
            "additionalProperties": False,
        }
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default="nano,small,kimi3")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    tokenizer = Tokenizer(vocabulary(BASE))
    costs = measure_costs(tokenizer, arguments.rounds, device)
    replies: dict[str, dict[str, Any]] = {}
    for name in filter(None, arguments.models.split(",")):
        replies[name] = measure_replies(name, tokenizer, arguments.rounds, device)
        print(f"{name}: {replies[name]}")
    told = {"device": str(device), "threads": torch.get_num_threads(), "torch": torch.__version__}
    print(json.dumps({"bench": "grammar", **told, "vocabulary": tokenizer.vocab_size, **costs, "replies": replies}))


def vocabulary(count: int) -> list[bytes]:
    """All bytes, numbers of two and three digits, and random merges: each of a token and a letter or a mark behind it.

    About as long as published tokens are: 2 to 12 bytes, 6.5 on average, half of them with a space in front.
    """
    chooser = random.Random(0)
    numbers = [f"{number:0{digits}d}".encode() for digits in (2, 3) for number in range(10**digits)]
    tokens = [bytes([byte]) for byte in range(256)] + numbers
    known = set(tokens)
    letters = b"eeeeeetttttaaaaooooiiiinnnnssshhhrrrddllluuccmmfwypvbgkqjxzETAOINSHRDLUCM"
    marks = b"()[]{}<>.,;:=+-*/'\"_!?"
    shorter = {1: [*(bytes([byte]) for byte in letters), *[b" "] * len(letters)]}
    while len(tokens) < count:
        length = chooser.choice((2, 3, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 10, 12))
        pool = next(shorter[at] for at in range(length - 1, 0, -1) if len(shorter.get(at, ())) > 50)
        token = chooser.choice(pool) + bytes([chooser.choice(letters if chooser.random() < 0.97 else marks)])
        if token not in known:
            tokens.append(token)
            known.add(token)
            shorter.setdefault(len(token), []).append(token)
    return tokens


def measure_costs(tokenizer: Tokenizer, rounds: int, device: torch.device) -> dict[str, Any]:
    """Of the vocabulary, once an engine; of a grammar; and of a token."""
    started_s = time.perf_counter()
    grammars = Grammars(tokenizer)
    grammars.guide(SamplingConfig(grammar=POINT), frozenset())
    results: dict[str, Any] = {"vocabulary_s": time.perf_counter() - started_s, "grammars": {}}
    print(f"a vocabulary of {tokenizer.vocab_size}: {results['vocabulary_s']:.2f} s")
    for name, grammar in GRAMMARS.items():
        results["grammars"][name] = figures = grammar_costs(tokenizer, grammars, grammar, rounds, device)
        print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
    return results


def grammar_costs(
    tokenizer: Tokenizer, grammars: Grammars, grammar: Grammar, rounds: int, device: torch.device
) -> dict[str, float]:
    """Milliseconds: to check the text, to compile it, to begin a reply; of a token the mask, what it adds to choosing,
    and telling what was chosen. Tokens are those of texts drawn from the grammar."""
    sampling, stops = SamplingConfig(grammar=grammar), frozenset((tokenizer.im_end, tokenizer.eos))
    logits_NV = torch.randn(1, tokenizer.vocab_size, generator=torch.Generator().manual_seed(0)).to(device)
    compiled: list[float] = []
    begun: list[float] = []
    tokens: list[TokenCost] = []
    checked = [timed(lambda: Grammar(grammar.text, grammar.kind))[0] for _ in range(rounds)]
    for seed in range(rounds):
        grammars._matchers.clear()  # pyright: ignore[reportPrivateUsage] (what is kept is what is measured)
        compiled.append(timed(lambda: grammars.guide(sampling, stops))[0])
        took_s, guide = timed(lambda: grammars.guide(sampling, stops))
        begun.append(took_s)
        assert guide is not None
        text = tokenizer.encode(draw(grammar, seed))
        tokens += [token_cost(guide, token, logits_NV, sampling) for token in text]
    return {
        "check_ms": 1e3 * median(checked),
        "compile_ms": 1e3 * median(compiled),
        "begin_ms": 1e3 * median(begun),
        "mask_ms": 1e3 * median(each.mask_s for each in tokens),
        "choose_more_ms": 1e3 * median(each.masked_s - each.unmasked_s for each in tokens),
        "tell_ms": 1e3 * median(each.tell_s for each in tokens),
        "token_ms": 1e3 * median(each.total_s for each in tokens),
        "token_p90_ms": 1e3 * float(np.quantile([each.total_s for each in tokens], 0.9)),
        "choose_unmasked_ms": 1e3 * median(each.unmasked_s for each in tokens),
        "tokens": len(tokens),
    }


class TokenCost(NamedTuple):
    mask_s: float
    unmasked_s: float  # choosing without a mask
    masked_s: float  # choosing with it, its unpacking included
    tell_s: float

    @property
    def total_s(self) -> float:
        """What the grammar adds."""
        return self.mask_s + self.masked_s - self.unmasked_s + self.tell_s


def token_cost(guide: Guide, token: int, logits_NV: torch.Tensor, sampling: SamplingConfig) -> TokenCost:
    def choose_masked() -> Sequence[tuple[int, float]]:
        assert words is not None
        penalty_NV = penalties(words[None], logits_NV.shape[-1], logits_NV.device)
        return choose(logits_NV, [sampling], [torch.Generator()], penalty_NV=penalty_NV)

    def tell() -> list[int]:
        guide.consume(token)
        return guide.forced()

    mask_s, words = timed(guide.allowed)
    unmasked_s, _ = timed(lambda: choose(logits_NV, [sampling], [torch.Generator()]))
    return TokenCost(mask_s, unmasked_s, timed(choose_masked)[0], timed(tell)[0])


def measure_replies(name: str, tokenizer: Tokenizer, rounds: int, device: torch.device) -> dict[str, Any]:
    """Of one answer, a click: tokens a second of decoding, and passes, with the grammar or not, jumping or not."""
    subject = build(Request(source=name, device=str(device)))
    if name == "nano":
        tokenizer = Tokenizer.load(checkpoint_folder("nano"))
    elif subject.config.text.vocab_size != tokenizer.vocab_size:
        tokenizer = Tokenizer(tokenizer.tokens[: subject.config.text.vocab_size - 256])
    engines = {
        jumps: Engine(subject.model, tokenizer, name=name, settings=EngineConfig(jump_forward=jumps))
        for jumps in (True, False)
    }
    page_HW3 = np.full((280, 420, 3), 255, np.uint8)
    page_HW3[100:150, 100:200] = 80
    ask = [Message("user", (Picture(page_HW3), "the grey box"))]
    held = SamplingConfig(grammar=CLICK, max_new_tokens=60)
    ways: dict[str, tuple[Engine, SamplingConfig]] = {
        "without": (engines[False], SamplingConfig(max_new_tokens=13, stop_ids=frozenset())),
        "masked": (engines[False], held),
        "jumping": (engines[True], held),
    }
    found: dict[str, Generation] = {}

    def answer(way: str) -> Callable[[], float]:
        engine, sampling = ways[way]

        def call() -> float:
            started_s = time.perf_counter()
            found[way] = reply = engine.generate(ask, sampling)
            return time.perf_counter() - started_s - reply.vision_s - reply.prefill_s

        return call

    paired = interleave({way: answer(way) for way in ways}, rounds=rounds, budget_s=20.0)
    answered = {way: median(samples.seconds) for way, samples in paired.samples.items()}
    low_high = paired.ratio_spread("jumping", "masked")
    return {
        "parameters": sum(each.numel() for each in subject.model.language_model.parameters()),
        "tokens": len(found["jumping"].tokens),
        "forced": found["jumping"].forced_tokens,
        "passes": {way: reply.passes for way, reply in found.items()},
        "answer_ms": {way: 1e3 * seconds for way, seconds in answered.items()},
        "best_ms": {way: 1e3 * min(samples.seconds) for way, samples in paired.samples.items()},
        "tokens_a_second": {way: len(found[way].tokens) / seconds for way, seconds in answered.items()},
        "jump_ratio": paired.ratio("jumping", "masked"),
        "jump_ratio_p10_p90": low_high,
        "same": [each.id for each in found["jumping"].tokens] == [each.id for each in found["masked"].tokens],
        "others_cores": paired.others_cores,
    }


def timed(call: Callable[[], T]) -> tuple[float, T]:
    started_s = time.perf_counter()
    result = call()
    return time.perf_counter() - started_s, result


if __name__ == "__main__":
    main()
