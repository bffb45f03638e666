"""What a reply owes to those that are answered beside it: rounding, and how much of it.

    python tests/soak/serve_rounding.py [--model nano|DIR] [--dtype bfloat16|float32] [--rounds N] [--threads N]

The questions of `serve_load.py` are answered one at a time, then by a scheduler in another order every round. The
last line is one JSON object: how many replies differed from the one alone, of how many questions, by how much the
log-probability of a token of the same reply moved at most, and how near the two likeliest tokens lay, alone, where a
reply came to differ.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import random
import sys
import threading

import numpy as np
import torch
from moonhand.model import (
    Engine,
    Generation,
    Message,
    Picture,
    SamplingConfig,
    Scheduler,
    SchedulerConfig,
    load,
)
from PIL import Image
from serve_load import QUESTIONS, request

SCREENS = 64
SAMPLING = SamplingConfig(max_new_tokens=24, temperature=0, top_logprobs=2)
Question = tuple[int, int]


def messages(question: Question) -> list[Message]:
    picture, text = request(*question)["messages"][0]["content"]
    png = base64.b64decode(picture["image_url"]["url"].partition(",")[2])
    with Image.open(io.BytesIO(png)) as image:
        return [Message("user", (Picture(np.asarray(image.convert("RGB"))), text["text"]))]


def together(engine: Engine, questions: list[Question]) -> dict[Question, Generation]:
    replies: dict[Question, Generation] = {}
    done = threading.Semaphore(0)

    def keep(question: Question, reply: Generation | BaseException) -> None:
        if isinstance(reply, Generation):
            replies[question] = reply
        done.release()

    with Scheduler(engine, SchedulerConfig(max_waiting=len(questions))) as scheduler:
        for each in questions:
            scheduler.submit(messages(each), SAMPLING, on_token=lambda _: None, on_end=lambda r, q=each: keep(q, r))
        for _ in questions:
            done.acquire()
    return replies


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    engine = load(asked.model, dtype=asked.dtype)
    questions = [(screen, number) for screen in range(SCREENS) for number in range(QUESTIONS)]
    alone = {each: engine.generate(messages(each), SAMPLING) for each in questions}
    differing: dict[Question, float] = {}
    num_replies, num_differing, moved = 0, 0, 0.0
    for seed in range(asked.rounds):
        order = random.Random(seed).sample(questions, len(questions))
        for question, reply in together(engine, order).items():
            num_replies += 1
            for one, other in zip(alone[question].tokens, reply.tokens, strict=False):
                if one.id != other.id:
                    num_differing += 1
                    differing[question] = one.top[0][1] - one.top[1][1]
                    break
                if one.logprob is not None and other.logprob is not None:
                    moved = max(moved, abs(one.logprob - other.logprob))
        print(f"round {seed + 1}: {num_differing} of {num_replies} replies differ", file=sys.stderr)
    told = {
        "dtype": str(engine.dtype).removeprefix("torch."),
        "replies": num_replies,
        "differing": num_differing,
        "questions": len(questions),
        "differing_questions": len(differing),
        "nearness_of_those": sorted(differing.values()),
        "largest_move": moved,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
