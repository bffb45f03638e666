"""A stand-in for vLLM: nano behind the part of its HTTP interface that is used here, on 127.0.0.1.

It takes and gives what vLLM's documentation says; that vLLM itself does so is not tried here.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import torch
from moonhand.model import Engine, Generation, Grammar, Message, Picture, SamplingConfig
from moonhand.model.prompt import Prompt, kept_tokens, stack_patches
from PIL import Image

END = "<|im_end|>"


@dataclass
class Behaviour:
    """How the server answers. Lists of troubles are used up, one a chat request."""

    names: tuple[str, ...] = ("nano",)
    about: dict[str, Any] = field(default_factory=lambda: {"owned_by": "vllm", "max_model_len": 4096})
    version: str = "0.12.0"
    key: str | None = None
    logprobs: bool = True
    grammar: str = "kept"  # or "ignored", "refused"
    thought: str | None = None  # told apart
    more_tokens: int = 0  # counted for a prompt beyond what it has
    prompt_tokens: int | None = None  # told in place of what was counted, with a canned reply
    trouble: str = "not now"  # what is said with each of the next
    troubles: list[tuple[int, dict[str, str]]] = field(default_factory=list[tuple[int, dict[str, str]]])
    cuts: int = 0  # connections that are dropped amid the reply
    slow_s: float = 0.0
    canned: Callable[[Mapping[str, str]], tuple[int, object]] | None = None  # status and answer, from what headers say
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    at_once: int = 0  # most requests that were open at the same time


@contextmanager
def serving(engine: Engine | None, how: Behaviour) -> Generator[str]:
    """The URL of the API, up to and with /v1. No engine: `how` says every reply."""
    guard, open_now = threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == "/version":
                self._send(200, {"version": how.version})
            elif self.path != "/v1/models":
                self._send(404, {"detail": "Not Found"})
            elif self._may():
                data = [{"id": name, "object": "model"} | how.about for name in how.names]
                self._send(200, {"object": "list", "data": data})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self._may():
                return
            with guard:
                how.bodies.append(body)
                open_now[0] += 1
                how.at_once = max(how.at_once, open_now[0])
                trouble = how.troubles.pop(0) if how.troubles else None
                is_cut, how.cuts = how.cuts > 0, max(0, how.cuts - 1)
            try:
                time.sleep(how.slow_s)
                if trouble is not None:
                    self._send(trouble[0], {"error": {"message": how.trouble}}, trouble[1])
                elif how.canned is not None:
                    self._send(*how.canned({name.lower(): text for name, text in self.headers.items()}))
                elif how.grammar == "refused" and "structured_outputs" in body:
                    self._send(400, {"error": {"message": "structured_outputs: no such field"}})
                elif body.get("stream"):
                    self._stream(body)
                else:
                    told = json.dumps(completion(engine, body, how)).encode()
                    self._send_bytes(200, told[: len(told) // 2] if is_cut else told, length=len(told))
            finally:
                with guard:
                    open_now[0] -= 1

        def _stream(self, body: dict[str, Any]) -> None:
            (choice,) = completion(engine, body, how)["choices"]
            entries = (choice["logprobs"] or {"content": [{"token": choice["message"]["content"]}]})["content"]
            pieces = [
                {"delta": {"content": entry["token"]}, "logprobs": {"content": [entry]} if how.logprobs else None}
                for entry in entries
                if entry["token"] != END
            ]
            events = [{"choices": [piece]} for piece in pieces] + [{"choices": [], "usage": {}}]
            lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
            self._send_bytes(200, lines.encode(), {"Content-Type": "text/event-stream"})

        def _may(self) -> bool:
            given = self.headers.get("Authorization", "")
            if how.key is None or given == f"Bearer {how.key}":
                return True
            self._send(401, {"error": f"Unauthorized: {given}"})
            return False

        def _send(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            self._send_bytes(status, json.dumps(body).encode(), headers)

        def _send_bytes(
            self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = self.close_connection or length not in (None, len(body))

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # whoever asked is gone

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def completion(engine: Engine | None, body: dict[str, Any], how: Behaviour) -> dict[str, Any]:
    """The answer to a chat completion request."""
    if how.prompt_tokens is not None:
        message = {"role": "assistant", "content": "ok"}
        logprobs = {"content": [{"token": "ok", "logprob": -1.0, "bytes": None, "top_logprobs": []}]}
        return {
            "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": how.prompt_tokens, "completion_tokens": 1},
        }
    assert engine is not None
    *before, last = body["messages"]
    is_open = bool(body.get("continue_final_message"))
    messages = [*(_message(each) for each in before), _message(last, is_open=is_open)]
    held = body.get("structured_outputs") if how.grammar == "kept" else None
    sampling = SamplingConfig(
        temperature=body["temperature"],
        top_p=body.get("top_p", 1.0),
        max_new_tokens=body["max_tokens"],
        seed=body["seed"],
        stop=tuple(body.get("stop", ())),
        grammar=Grammar(held["grammar"]) if held else None,
    )
    made = engine.generate(messages, sampling)
    told = None
    if how.logprobs and body.get("logprobs"):
        told = {"content": _entries(engine, messages, made, body["top_logprobs"])}
    message: dict[str, Any] = {"role": "assistant", "content": made.text}
    if how.thought is not None:
        message["reasoning_content"] = how.thought
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "logprobs": told, "finish_reason": made.finish_reason}],
        "usage": {"prompt_tokens": made.prompt_tokens + how.more_tokens, "completion_tokens": len(made.tokens)},
    }


def _message(message: dict[str, Any], *, is_open: bool = False) -> Message:
    content = message["content"]
    if isinstance(content, str):
        return Message(message["role"], (content,), open=is_open)
    parts = [part["text"] if part["type"] == "text" else _picture(part["image_url"]["url"]) for part in content]
    return Message(message["role"], tuple(parts), open=is_open)


def _picture(uri: str) -> Picture:
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return Picture(np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")))


@torch.inference_mode()
def _entries(engine: Engine, messages: Sequence[Message], made: Generation, count: int) -> list[dict[str, Any]]:
    """Log-probabilities of the reply's tokens and of the likeliest ones beside each, by the plain forward pass."""
    prompt = Prompt.read(messages, engine.tokenizer, engine.config)
    patches = [picture.patches for picture in prompt.pictures]
    features_TD = None
    if patches:
        pixels_PCHW = stack_patches(patches, engine.config)
        kept = kept_tokens(patches, engine.device)
        features_TD = engine.model.encode_images(pixels_PCHW, [each.grid_hw for each in patches], kept)
    ids = [*prompt.ids, *(token.id for token in made.tokens)]
    positions = [*prompt.positions, *(prompt.positions[-1] + 1 + at for at in range(len(made.tokens)))]
    x_BLD = engine.model.embed(torch.tensor([ids]), features_TD)
    logits_LV = engine.model.decode(x_BLD, torch.tensor([positions]))[0, len(prompt.ids) - 1 : -1]
    logprobs_LV = logits_LV[:, : engine.tokenizer.num_base].log_softmax(-1)
    top = logprobs_LV.topk(count, dim=-1)

    def entry(token: int, logprob: float) -> dict[str, Any]:
        spelled = engine.tokenizer.tokens[token]
        return {"token": spelled.decode(errors="replace"), "logprob": logprob, "bytes": list(spelled)}

    entries = [
        entry(token.id, float(logprobs_V[token.id]))
        | {"top_logprobs": [entry(*pair) for pair in zip(ids, values, strict=True)]}
        for token, logprobs_V, ids, values in zip(
            made.tokens, logprobs_LV, top.indices.tolist(), top.values.tolist(), strict=True
        )
    ]
    if made.finish_reason == "stop":  # as vLLM tells the token that ended the turn
        entries.append({"token": END, "logprob": -0.01, "bytes": list(END.encode()), "top_logprobs": []})
    return entries
