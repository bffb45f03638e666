"""What a server is, which of its models is meant, and what it can do: asked once, when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

from .chat import Message, Picture
from .errors import BadGrammar, NoRemote, RemoteRefused
from .grammar import Grammar, Server, remote_fields
from .remote_address import SCHEME, RemoteAddress
from .remote_http import HttpClient
from .remote_model import PATCH_LIMITS, QUESTION, RemoteModel, recognise, served_models
from .remote_reply import read_completion
from .remote_wire import DataUris, message_fields

HELD = "ok"  # all that the probe's grammar allows
REFUSING = (400, 422, 500, 501)  # statuses with which servers refuse fields that they do not know
USUAL = 20  # alternatives to a token that a server tells at most, unless it was started to tell more
LISTED = 8  # names of served models told at most


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """`grammar` None: replies are held to none. `remarks` is what a user should know, each one sentence or two."""

    server: str  # "vllm", "sglang", or "openai" for any other
    version: str | None
    grammar: Server | None
    logprobs: bool
    top_logprobs: int
    remarks: tuple[str, ...] = ()

    @property
    def continues(self) -> bool:
        """Whether it goes on with a reply that was begun for it: no part of OpenAI's own protocol."""
        return self.server != "openai"


def find_model(client: HttpClient, address: RemoteAddress) -> tuple[RemoteAddress, RemoteModel, Mapping[str, Any]]:
    """The address with the model's name, what is known of it, and what the server lists of it.

    Without a name it is the only one that is served. NoRemote for one that is not, with those that are.
    """
    served = served_models(client.get(f"{address.url}/models", attempts=1))
    names = [str(entry["id"]) for entry in served]
    if not names:
        raise NoRemote(f"{address.url}/models lists no models: is it the address of an OpenAI-compatible API?")
    told = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    if address.model is None and len(names) > 1:
        raise NoRemote(f"{address.url} serves {told}: choose one with --model {SCHEME}{address.url}#NAME")
    if address.model is not None and address.model not in names:
        raise NoRemote(f"{address.url} does not serve {address.model!r}, it serves {told}: correct the name behind #")
    about = served[0 if address.model is None else names.index(address.model)]
    name = str(about["id"])
    root, length = about.get("root"), about.get("max_model_len")
    model = recognise(name, root if isinstance(root, str) else None, length if isinstance(length, int) else None)
    return replace(address, model=name), model, about


def probe(
    client: HttpClient,
    address: RemoteAddress,
    model: RemoteModel,
    about: Mapping[str, Any],
    *,
    server: Server | None,
    top_logprobs: int,
) -> tuple[RemoteModel, Abilities]:
    """Ask one question about a small picture, with a grammar and with log-probabilities; without what is refused.

    The prompt's size tells whether the server sees pictures as is counted here; the model comes back with the patch
    limit by which it does. NoRemote for a server that takes no picture at all.
    """
    kind, version, told = _server(client, address, about)
    grammar = server or told
    remarks = [model.doubt] if model.doubt else []
    picture = model.probe_picture()
    base: dict[str, Any] = {
        "model": address.model,
        **message_fields([Message("user", (Picture(picture), QUESTION))], DataUris(1 << 20)),
        "temperature": 0.0,
        "max_tokens": 4,
        "seed": 0,
    }
    held: dict[str, Any] = {}
    try:
        held = {} if grammar is None else remote_fields(Grammar(f'start: "{HELD}"'), server=grammar)
    except BadGrammar as error:
        grammar = None
        remarks.append(f"replies are held to no grammar, and may be of any form: {error}")
    body, sent, refused = _ask(client, base, held, top_logprobs)
    if held and not held.items() <= sent.items():
        grammar = None
        remarks.append(f"replies are held to no grammar, and may be of any form: {refused}")
    reply = read_completion(body, url=address.url, quote=client.quoted, stop=(), watch=(), image_tokens=0, took_s=0.0)
    choice: Mapping[str, Any] = body["choices"][0]
    if grammar is not None and reply.answer != HELD:
        grammar = None
        remarks.append(
            f"the server takes a grammar and does not keep to it (it said {client.quoted(reply.answer)!r}): replies "
            "may be of any form"
        )
    shown = bool((choice.get("logprobs") or {}).get("content")) and "top_logprobs" in sent
    if not shown:
        remarks.append("the server tells no log-probabilities: there is no confidence and no heat map")
    model, remark = _counted(model, reply.prompt_tokens)
    remarks += [remark] if remark else []
    abilities = Abilities(
        server=kind,
        version=version,
        grammar=grammar,
        logprobs=shown,
        top_logprobs=sent["top_logprobs"] if shown else 0,
        remarks=tuple(remarks),
    )
    return model, abilities


def _ask(
    client: HttpClient, base: Mapping[str, Any], held: Mapping[str, Any], top_logprobs: int
) -> tuple[Any, Mapping[str, Any], RemoteRefused | None]:
    """The first answer, the fields beside the base that it is to, and what the server said of those left out."""
    first: RemoteRefused | None = None
    counts = sorted({top_logprobs, min(top_logprobs, USUAL), 0}, reverse=True)
    shown: list[dict[str, Any]] = [{"logprobs": True, "top_logprobs": count} if count else {} for count in counts]
    for extra in [{**grammar, **each} for grammar in ([held, {}] if held else [{}]) for each in shown]:
        try:
            return client.post("/chat/completions", {**base, **extra}), extra, first
        except RemoteRefused as error:
            if error.status not in REFUSING:
                raise
            first = first or error
    assert first is not None
    raise NoRemote(f"{first} (asked about a picture of one screen: does this server's model take pictures?)") from first


def _counted(model: RemoteModel, told: int) -> tuple[RemoteModel, str | None]:
    """The model by the patch limit that the server's count agrees with, and what to say where that is not the known."""
    picture = model.probe_picture()
    expected = model.probe_tokens(picture)
    if told == expected:
        return model, None
    size = f"a {picture.shape[1]}x{picture.shape[0]} px picture and {QUESTION!r}"
    if not told:
        return model, f"the server does not say how many tokens a prompt has: {size} should be {expected}"
    for limit in sorted(set(PATCH_LIMITS.values())):
        if told == model.probe_tokens(picture, limit):
            image = replace(model.config.image, in_token_limit=limit)
            return (
                replace(model, config=replace(model.config, image=image)),
                f"{size} are {told} prompt tokens on the server, {expected} as {model.name} is known: the server sees "
                f"up to {limit} patches of a picture, not {model.config.image.in_token_limit}, and is believed",
            )
    return model, (
        f"{size} are {told} prompt tokens on the server, {expected} by our count: it may see pictures or turns "
        "otherwise than this model was taught, so look at where it points before you rely on it"
    )


def _server(
    client: HttpClient, address: RemoteAddress, about: Mapping[str, Any]
) -> tuple[str, str | None, Server | None]:
    """What the server says it is, its version, and how it takes a grammar."""
    match about.get("owned_by"):
        case "vllm":
            version = _told(client, f"{address.root}/version").get("version")
            older = isinstance(version, str) and _before_0_12(version)
            return "vllm", _text(version), "vllm-before-0.12" if older else "vllm"
        case "sglang":
            told = _told(client, f"{address.root}/server_info") or _told(client, f"{address.root}/get_server_info")
            started = told.get("server_args")
            knows_lark = "llguidance" in (
                told.get("grammar_backend"),
                cast("Mapping[str, Any]", started).get("grammar_backend") if isinstance(started, dict) else None,
            )
            return "sglang", _text(told.get("version")), "sglang-llguidance" if knows_lark else "sglang"
        case "moonhand":
            return "moonhand", _text(_told(client, f"{address.root}/version").get("version")), "vllm"
        case _:
            return "openai", None, "openai"


def _told(client: HttpClient, url: str) -> Mapping[str, Any]:
    """What a server tells about itself; nothing where it does not."""
    with suppress(NoRemote):
        told = client.get(url, attempts=1)
        if isinstance(told, dict):
            return told  # pyright: ignore[reportUnknownVariableType] - JSON
    return {}


def _before_0_12(version: str) -> bool:
    numbers = version.split(".")[:2]
    return all(number.isdigit() for number in numbers) and [int(number) for number in numbers] < [0, 12]


def _text(told: object) -> str | None:
    return told if isinstance(told, str) else None
