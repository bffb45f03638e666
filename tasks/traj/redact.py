"""Something taken out of a recorded run for good: out of its pictures, its steps and all that was made of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ...agent import Recording, Step, TrajectoryError, read_trajectory
from ...agent.trajectory import FRAMES_FOLDER, RUN_FILE, STEPS_FILE
from ...envs import Frame
from ..errors import BadRequest
from .covering import Line, Places, add_elements, add_read, frames_of
from .folder_swap import new_in_place_of
from .hiding import Hiding
from .rewriting import Order, Redacted, Told, check_anew, cleaned_steps, write_anew


def redact(
    folder: Path,
    order: Order,
    *,
    read: Callable[[Frame], Sequence[Line]] | None = None,
    is_dry: bool = False,
    told: Told | None = None,
) -> Redacted:
    """Take it out, unless nothing of it is found or `is_dry`. `read` reads the lines of text in a picture.

    The folder is written anew beside the old one and then takes its place. TrajectoryError for a folder that cannot be
    opened or written, or that a run is still writing to; BadRequest for a region that no picture has.
    """
    told = told or _untold
    recording, stamp = read_trajectory(folder), _stamp(folder)
    frames = frames_of(recording.steps)
    places = Places()
    _add_regions(places, recording, order)
    if order.hiding:
        add_elements(places, recording, order.hiding)
        if read is not None:
            for done, _ in enumerate(add_read(places, frames, order.hiding, read), start=1):
                told("reading pictures", done, len(frames))
    count: Counter[str] = Counter()
    cleaned_steps(recording, order.hiding, count)
    order.hiding.of_json(dict(recording.run), count=count)
    kept, dropped = _other_files(folder, order.hiding, count)
    found = Redacted(
        num_frames=len(places.boxes),
        num_boxes=sum(map(len, places.boxes.values())),
        num_strings=count["changed"],
        num_lines_read=None if read is None or not order.hiding else places.num_lines,
        dropped=tuple(order.hiding.of(name) for name in dropped),
        notes=(
            *(places.notes if read is None else ()),
            *_notes(recording, order.hiding, count, is_read=read is not None),
        ),
    )
    if is_dry or not found.found:
        return found
    try:
        with new_in_place_of(folder) as draft:
            write_anew(draft, recording, order, places, found, kept, told)
            check_anew(draft, recording, order.hiding)
            if _stamp(folder) != stamp:
                raise TrajectoryError(f"{folder} is still being written to: wait for the run to end")
    except OSError as error:
        raise TrajectoryError(f"{folder} cannot be rewritten: {error.strerror or error}; it is as it was") from error
    return found


def _untold(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def _add_regions(places: Places, recording: Recording, order: Order) -> None:
    numbers = {step.index + 1 for step in recording.steps}
    if missing := sorted(set(order.steps) - numbers):
        raise BadRequest(f"{recording.path} has no step {missing[0]}: it has {len(numbers)}")
    chosen = [step for step in recording.steps if not order.steps or step.index + 1 in order.steps]
    frames = list(frames_of(chosen).values())
    for region in order.regions:
        if not places.add(frames, region):
            sizes = ", ".join(sorted({str(stored.size) for stored in frames})) or "none"
            box = f"{region.left_px:g},{region.top_px:g},{region.width_px:g},{region.height_px:g}"
            raise BadRequest(f"--region {box} lies outside of every picture; their size in px: {sizes}")


def _other_files(folder: Path, hiding: Hiding, count: Counter[str]) -> tuple[dict[str, Any], list[str]]:
    """What else is JSON, without it, by the name of its file; and the names of all other files but the frames."""
    kept: dict[str, Any] = {}
    dropped: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink()):
        name = path.relative_to(folder).as_posix()
        if name in (RUN_FILE, STEPS_FILE) or name.startswith(f"{FRAMES_FOLDER}/"):
            continue
        told = _json_of(path) if "/" not in name and not path.is_symlink() and hiding.of(name) == name else None
        if told is None:
            dropped.append(name)
        else:
            kept[name] = hiding.of_json(told, count=count)
    return kept, dropped


def _json_of(path: Path) -> Any:
    """None where it is something else."""
    if path.suffix != ".json":
        return None
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _notes(recording: Recording, hiding: Hiding, count: Counter[str], *, is_read: bool) -> Iterator[str]:
    """What the person has to know that it was not looked for."""
    if recording.problems:
        yield f"the folder is damaged ({recording.problems[0]}); what cannot be read is left out of the new one"
    yield from _replays(recording)
    if not hiding:
        return
    if not is_read:
        yield (
            "text in pictures was not read: only elements that the record names were covered "
            "(pip install 'moonhand[ocr]' reads them, --region covers a place)"
        )
    else:
        yield "the program that read the pictures misses small and unusual letters: look at them before you share them"
    if count["own"]:
        yield f"{count['own']} words of the record itself, such as names of keys and actions, look like it and stay"
    pieces = [_typed(step) for step in recording.steps]
    whole = "".join(pieces)
    if hiding.of(whole) != "".join(map(hiding.of, pieces)):
        yield "typed in pieces, or key by key, it can be put together from several steps: give a pattern for each piece"


def _replays(recording: Recording) -> Iterator[str]:
    """Their pictures are the same files as the recording's, and stay as they are."""
    folder = recording.path.resolve()
    for path in sorted(folder.parent.glob(f"*/{RUN_FILE}")):
        told: object = _json_of(path)
        origin = cast(Mapping[str, Any], told).get("replay_of") if isinstance(told, Mapping) else None
        if isinstance(origin, str) and Path(origin).resolve() == folder:
            yield f"{path.parent.name} beside it is a replay of it with pictures of it, and was not touched"
    yield "replays and copies of it in other places keep its pictures and words: they were not looked for"


def _typed(step: Step) -> str:
    action = step.action
    match None if action is None else action.type:
        case "type":
            return str(getattr(action, "text", ""))
        case "key":
            keys = tuple(key for key in getattr(action, "keys", ()) if key != "shift")
            return keys[0] if len(keys) == 1 and len(keys[0]) == 1 else "\n"
        case "key_down":
            key = str(getattr(action, "key", ""))
            return key if len(key) == 1 else ""
        case "key_up":
            return ""
        case _:
            return "\n"


def _stamp(folder: Path) -> tuple[tuple[int, int], ...]:
    """Changes whenever a run writes a step or its result."""
    stats = [(folder / name).stat() for name in (RUN_FILE, STEPS_FILE) if (folder / name).exists()]
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)
