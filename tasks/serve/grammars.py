"""What a request holds its reply to: OpenAI's, vLLM's and our own fields as one grammar, tried before it is used."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from threading import Lock, Timer
from typing import Any

from ...agent.dialects import DIALECTS, Canvas
from ...envs import KINDS, Size
from ...model import Engine
from ...model.chat import Message
from ...model.grammar import Grammar, GrammarKind
from .config import ServeConfig
from .refusals import Refusal
from .wire import ChatRequest, StructuredOutputs

KEPT = 256  # of the grammars that were tried
_WALL = 10  # times the processor time: on a busy machine the one is long before the other


def require_sound(request: ChatRequest, gate: GrammarGate) -> None:
    """Refusal 400 where two grammars are asked for, and for one that is none or takes too much to follow."""
    asked = _asked(request)
    if len(asked) + _asks_for_dialect(request) > 1:
        raise _refused("a reply is held to one thing: give response_format or one of structured_outputs", None)
    for kind, text, param in asked:
        gate.require_sound(kind, text, param)


def grammar_of(request: ChatRequest, messages: Sequence[Message], engine: Engine) -> Grammar | None:
    """Of a request that `require_sound` let pass. Refusal 400 for a dialect that cannot be spoken about these."""
    for kind, text, _ in _asked(request):
        return Grammar(text, kind)
    structured = request.structured_outputs
    if structured is None or structured.dialect is None:
        return None
    return Grammar(_text_of_dialect(structured, messages, engine))


class GrammarGate:
    """Looks at every grammar in a process of its own, which is killed where that takes too long; threads share it."""

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        self._known: OrderedDict[bytes, str | None] = OrderedDict()  # why not; None: it can be used
        self._guard = Lock()
        self._worker: subprocess.Popen[str] | None = None

    def require_sound(self, kind: GrammarKind, text: str, param: str) -> None:
        """Refusal 400."""
        if len(text.encode()) > self._config.max_grammar_bytes:
            most = self._config.max_grammar_bytes
            raise _refused(f"the grammar is larger than the {most} bytes that are taken", param)
        key = sha256(f"{kind}\n{text}".encode()).digest()
        with self._guard:
            if key not in self._known:
                self._known[key] = self._ask(kind, text)
                if len(self._known) > KEPT:
                    self._known.popitem(last=False)
            self._known.move_to_end(key)
            why = self._known[key]
        if why is not None:
            raise _refused(why, param)

    def close(self) -> None:
        with self._guard:
            self._end_worker()

    def _ask(self, kind: GrammarKind, text: str) -> str | None:
        worker = self._worker or self._start_worker()
        assert worker.stdin is not None
        assert worker.stdout is not None
        watch = Timer(_WALL * self._config.grammar_cpu_s, worker.kill)
        watch.start()
        try:
            worker.stdin.write(json.dumps({"kind": kind, "text": text}) + "\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
        except OSError:
            line = ""
        finally:
            watch.cancel()
        if line:
            return json.loads(line)["error"]
        ended = self._end_worker()
        if ended in (-signal.SIGPROF, -signal.SIGKILL):
            return f"the grammar takes more than {self._config.grammar_cpu_s:g} s to prepare: make it simpler"
        return "the grammar takes more memory to prepare than it may: make it simpler"

    def _start_worker(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "moonhand.tasks.serve.grammar_worker", str(self._config.grammar_cpu_s)]
        self._worker = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is the server's alone
        )
        return self._worker

    def _end_worker(self) -> int | None:
        """Its exit status, negative by the signal that ended it."""
        worker, self._worker = self._worker, None
        if worker is None:
            return None
        for pipe in (worker.stdin, worker.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            return worker.wait(1)
        except subprocess.TimeoutExpired:
            worker.kill()
            return worker.wait()


def _asked(request: ChatRequest) -> list[tuple[GrammarKind, str, str]]:
    """The grammars that somebody wrote, each with its field."""
    asked = [each for each in (_of_format(request), _of_guided(request)) if each is not None]
    return asked if request.structured_outputs is None else asked + _of_structured(request.structured_outputs)


def _asks_for_dialect(request: ChatRequest) -> bool:
    structured = request.structured_outputs
    if structured is not None and structured.dialect is None and structured.kinds is not None:
        raise _refused("kinds of actions go with a dialect", "structured_outputs")
    return structured is not None and structured.dialect is not None


def _of_format(request: ChatRequest) -> tuple[GrammarKind, str, str] | None:
    asked = request.response_format
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return "json_schema", _schema_text({"type": "object"}), "response_format"
    if asked.json_schema is None:
        raise _refused("response_format.json_schema is missing", "response_format")
    return "json_schema", _schema_text(asked.json_schema.of), "response_format"


def _of_guided(request: ChatRequest) -> tuple[GrammarKind, str, str] | None:
    """The fields of vLLM before 0.12."""
    given = StructuredOutputs(
        json=request.guided_json,
        regex=request.guided_regex,
        choice=request.guided_choice,
        grammar=request.guided_grammar,
    )
    found = _of_structured(given, "guided_")
    if len(found) > 1:
        raise _refused("give one of guided_json, guided_regex, guided_choice and guided_grammar", None)
    return found[0] if found else None


def _of_structured(given: StructuredOutputs, prefix: str = "structured_outputs.") -> list[tuple[GrammarKind, str, str]]:
    asked: list[tuple[GrammarKind, str, str]] = []
    if given.of_json is not None:
        asked.append(("json_schema", _schema_text(given.of_json), f"{prefix}json"))
    if given.json_object:
        asked.append(("json_schema", _schema_text({"type": "object"}), f"{prefix}json_object"))
    if given.regex is not None:
        asked.append(("regex", given.regex, f"{prefix}regex"))
    if given.choice is not None:
        if not given.choice or not all(given.choice):
            raise _refused("a choice is between texts, none of them empty", f"{prefix}choice")
        alternatives = " | ".join(json.dumps(each, ensure_ascii=False) for each in given.choice)
        asked.append(("lark", f"start: {alternatives}", f"{prefix}choice"))
    if given.grammar is not None:
        asked.append(("lark", re.sub(r"\A\s*%llguidance\s*\{\}\s*\n", "", given.grammar), f"{prefix}grammar"))
    return asked


def _text_of_dialect(given: StructuredOutputs, messages: Sequence[Message], engine: Engine) -> str:
    """What a dialect can say about the last picture."""
    dialect = DIALECTS.get(given.dialect or "")
    if dialect is None:
        raise _refused(f"{given.dialect!r} is no dialect: {', '.join(DIALECTS)}", "structured_outputs.dialect")
    kinds = dialect.kinds if given.kinds is None else frozenset(given.kinds)
    if unknown := sorted(kinds - (KINDS & dialect.kinds)) if given.kinds is not None else []:
        told = ", ".join(sorted(dialect.kinds))
        raise _refused(f"{dialect.name} has no {unknown[0][:40]!r}: {told}", "structured_outputs.kinds")
    pictures = [picture for message in messages for picture in message.pictures]
    if not pictures or not kinds:
        raise _refused("a dialect needs a picture to act on, and a kind of action", "structured_outputs.dialect")
    height_px, width_px, _ = pictures[-1].pixels_HW3.shape
    transform = engine.transform(width_px, height_px)
    seen = Size(transform.resized_width_px, transform.resized_height_px)
    canvas = Canvas(Size(width_px, height_px), transform.to_px, transform.to_norm, seen)
    return dialect.grammar(canvas, kinds)


def _schema_text(schema: Mapping[str, Any] | str | bool) -> str:
    """A schema that says nothing of blank space gets little of it: a small model may write it for ever."""
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError) as error:
            raise _refused(f"the JSON schema is no JSON: {error}", None) from error
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    if not isinstance(schema, Mapping):
        raise _refused("a JSON schema is an object", None)
    return json.dumps({"x-guidance": {"whitespace_pattern": _BLANK}, **schema}, ensure_ascii=False)


_BLANK = r" |\n {0,64}"


def _refused(message: str, param: str | None) -> Refusal:
    return Refusal(400, message, param=param, code="invalid_grammar")
