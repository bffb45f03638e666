"""A question made ready: what of it is shown, how many tokens that takes, and the messages with every pixel read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..console import ModelChoice
from .fitting import dropped, fitted
from .form import Form
from .inputs import Input, View, parts_of
from .page_ranges import as_ranges
from .room import Room

if TYPE_CHECKING:
    from ...agent import PromptProfile
    from ...model import KimiVLConfig, Message, RemoteEngine, SamplingConfig, Tokenizer

LONGEST_THOUGHT, LONGEST_ANSWER = 32_768, 4_096  # tokens of a reply unless told otherwise, of a context of any length
SHARE_OF_CONTEXT = 4  # and at most a quarter of a shorter one
SHORTEST = 256  # tokens that a reply should have at least
ONLY_GROUNDING = ("nano", "moonhand-nano")

Say = Callable[[str], None]
Confirm = Callable[[str], bool]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A question as its flags have it. None: as the model's profile has it."""

    question: str
    inputs: tuple[Input, ...]
    frames_words: str  # how frames were chosen
    system: str | None = None
    max_new_tokens: int | None = None
    thinking_tokens: int | None = None
    temperature: float | None = None
    top_p: float = 1.0
    seed: int = 0
    form: Form | None = None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """All that is sent. `tokens` are each input's as the model reads them, blank ones left out where it does so.

    `prompt_tokens` are those of the whole prompt; of the context it takes `prompt_positions`, blank ones too.
    """

    room: Room
    inputs: tuple[Input, ...]
    tokens: tuple[int, ...]
    prompt_tokens: int
    prompt_positions: int
    messages: tuple[Message, ...]
    sampling: SamplingConfig
    engine: RemoteEngine | None  # None: it is still to be loaded
    read_s: float


def prepare(asking: Asking, choice: ModelChoice, *, fit: bool, say: Say, confirm: Confirm | None) -> Prepared:
    """Count first, then read the pixels; no weight is touched.

    Where it is too long: `fit` leaves out what does not fit and says so, `confirm` asks first; without either it is
    ContextTooLong, which tells what would fit.
    """
    from ...model import SamplingConfig

    started_s = time.perf_counter()
    name, config, tokenizer, engine = _about(choice)
    profile = _profile(name, config)
    thinks = profile.thinking_tokens is not None
    room = Room(
        model=name,
        config=config,
        tokenizer=tokenizer,
        system=asking.system,
        max_new_tokens=asking.max_new_tokens or _usual_length(config, thinks),
    )
    room.check_sizes(asking.inputs)
    if asking.max_new_tokens is None:
        room = _shorter(asking, room, say)
    inputs = _fitting(asking, room, fit=fit, say=say, confirm=confirm)
    for each, whole in zip(inputs, asking.inputs, strict=True):
        words = asking.frames_words
        if len(each.views) < len(whole.views):
            words = f"evenly out of {len(whole.views)} ({words})"
        if (told := describe(each, room, words)) is not None:
            say(told)
    content, tokens = _content(inputs, asking.question, room)
    return Prepared(
        room=room,
        inputs=tuple(inputs),
        tokens=tokens,
        prompt_tokens=room.words(inputs, asking.question) + _of_pictures(inputs, tokens),
        prompt_positions=room.positions(inputs, asking.question),
        messages=tuple(room.messages(content)),
        sampling=SamplingConfig(
            temperature=profile.agent_temperature if asking.temperature is None else asking.temperature,
            top_p=asking.top_p,
            max_new_tokens=room.max_new_tokens,
            seed=asking.seed,
            grammar=None if asking.form is None else asking.form.grammar,
            thinks=True if thinks else None,
            thinking_tokens=asking.thinking_tokens,
        ),
        engine=engine,
        read_s=time.perf_counter() - started_s,
    )


def describe(given: Input, room: Room, frames_words: str) -> str | None:
    """How an input is shown, where that is not simply as it is."""
    if not given.views:
        return None
    first = given.views[0]
    same_size = len({(view.width_px, view.height_px) for view in given.views}) == 1
    sizes = f"{first.width_px}x{first.height_px} px" if same_size else "of several sizes"
    if same_size and (seen := room.seen_px(first)) != (first.width_px, first.height_px):
        sizes += f", seen at {seen[0]}x{seen[1]}"
    total = sum(map(room.tokens, given.views))
    tail = f"{sizes}; {total:,} tokens" + "".join(f"; {note}" for note in given.notes)
    match given.kind:
        case "pdf":
            pages = as_ranges([view.page or 0 for view in given.views])
            word = "page" if len(given.views) == 1 else "pages"
            return f"{given.name}: {word} {pages} of {given.total} at {given.dpi:.0f} dpi, {tail}"
        case "video" | "animation":
            return f"{given.name}: {len(given.views)} of {given.total} frames, {frames_words}, {tail}"
        case _:
            return f"{given.name}: {tail}" if given.notes else None


def report(prepared: Prepared) -> dict[str, Any]:
    """What was shown, as JSON."""
    room = prepared.room
    return {
        "model": room.model,
        "context_tokens": room.limit,
        "max_new_tokens": room.max_new_tokens,
        "prompt_context_tokens": prepared.prompt_positions,
        "inputs": [
            _input_json(each, tokens, room) for each, tokens in zip(prepared.inputs, prepared.tokens, strict=True)
        ],
    }


def _about(choice: ModelChoice) -> tuple[str, KimiVLConfig, Tokenizer | None, RemoteEngine | None]:
    """Name, configuration and vocabulary of the model; of a server the engine, which must be asked for the first."""
    from ...model.remote_address import is_remote

    if is_remote(choice.name):
        engine = choice.load()
        return engine.name, engine.config, None, engine
    from ...model import Tokenizer, load_config
    from ...model.engine import checkpoint_folder

    folder = checkpoint_folder(choice.name)
    config = load_config(folder)
    name = "nano" if choice.name == "nano" else folder.resolve().name
    return name, config, Tokenizer.load(folder), None


def _profile(name: str, config: KimiVLConfig) -> PromptProfile:
    from ...agent.profiles import profile_for

    return profile_for(name, in_token_limit=config.image.in_token_limit, vocab_size=config.text.vocab_size)


def _usual_length(config: KimiVLConfig, thinks: bool) -> int:
    context = config.text.max_position_embeddings
    return max(1, min(context // SHARE_OF_CONTEXT, LONGEST_THOUGHT if thinks else LONGEST_ANSWER))


def _shorter(asking: Asking, room: Room, say: Say) -> Room:
    """Where nobody said how long the reply may be, it gets what a long prompt leaves, if that is something."""
    left = room.max_new_tokens - max(0, room.over(asking.inputs, asking.question))
    if left == room.max_new_tokens or left < SHORTEST:
        return room
    say(f"the answer may take {left:,} tokens: the prompt leaves no more of the {room.limit:,}")
    return replace(room, max_new_tokens=left)


def _fitting(asking: Asking, room: Room, *, fit: bool, say: Say, confirm: Confirm | None) -> list[Input]:
    """ContextTooLong where it does not fit and nobody wants less."""
    from ...model import ContextTooLong

    inputs = list(asking.inputs)
    if room.over(inputs, asking.question) <= 0:
        return inputs
    problem = room.explain(inputs, asking.question)
    less = fitted(inputs, asking.question, room)
    if less is None:
        raise ContextTooLong(
            f"{problem}; fewer frames and smaller pictures would not do: name less, or lower --max-new-tokens"
        )
    would = "; ".join(dropped(inputs, less))
    if fit:
        say(f"{problem}; shown instead: {would}")
        return less
    if confirm is not None:
        if confirm(f"{problem}. Show less: {would}?"):
            return less
        raise ContextTooLong("nothing was asked: name less (--pages, --frames), or lower --max-new-tokens")
    raise ContextTooLong(
        f"{problem}. It fits with {would}: --fit does that. Or name less (--pages, --frames), or lower --max-new-tokens"
    )


def _content(inputs: Sequence[Input], question: str, room: Room) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """The parts with their pixels, and each input's tokens as the model reads them."""
    from ...model import Picture
    from ...model.image import count_tokens

    pictures: list[Picture] = []
    tokens: list[int] = []
    for each in inputs:
        if each.kind == "text":
            tokens.append(room.text_tokens(each.text))
            continue
        shown = [Picture(pixels) for pixels in each.read(room.as_seen(each).views)]
        tokens.append(sum(count_tokens(picture.pixels_HW3, room.config.image) for picture in shown))
        pictures += shown
    left = iter(pictures)
    parts = [next(left) if isinstance(part, View) else part for part in parts_of(inputs)]
    return (*parts, question), tuple(tokens)


def _of_pictures(inputs: Sequence[Input], tokens: Sequence[int]) -> int:
    return sum(count for each, count in zip(inputs, tokens, strict=True) if each.kind != "text")


def _input_json(given: Input, tokens: int, room: Room) -> dict[str, Any]:
    places = sum(map(room.tokens, given.views)) if given.views else tokens
    told: dict[str, Any] = {"path": given.path, "kind": given.kind, "tokens": places, "read_tokens": tokens}
    if given.kind == "text":
        return told | {"characters": len(given.text)}
    told["px"] = [[view.width_px, view.height_px] for view in given.views]
    told["seen_px"] = [list(room.seen_px(view)) for view in given.views]
    if given.kind == "pdf":
        told |= {"pages": [view.page for view in given.views], "of": given.total, "dpi": given.dpi}
    elif given.kind != "picture":
        frames = [{"at_s": float(view.at_s or 0), "timestamp": view.timestamp} for view in given.views]
        told |= {"frames": frames, "of": given.total}
    return told | ({"notes": list(given.notes)} if given.notes else {})
