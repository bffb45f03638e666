"""Runs as a folder that Hugging Face's `datasets` loads: a row a step, pictures inside.

    OUT/README.md                               the card, which says where the split is
    OUT/data/train-00000-of-00001.parquet       `image` and `image_after` are its Image feature: bytes and path

`datasets.load_dataset("OUT")` reads it, and so does any reader of Parquet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ...agent import Recording, Step, StoredFrame, TrajectoryError
from ...envs import MissingTool, action_points, action_to_json
from ..errors import BadRequest
from .exported import Exported, Told, check_out, check_steps, write_text

DATA = Path("data") / "train-00000-of-00001.parquet"
TEXTS = (
    *("run", "goal", "source", "action_type", "action", "action_01", "instruction", "thought", "reply"),
    *("error", "change", "url", "title", "element"),
)
NUMBERS = ("confidence", "x_01", "y_01", "scale", "started_at_s", "model_s", "act_s", "settle_s")
WHOLES = ("index", "turn", "width_px", "height_px")
PICTURES = ("image", "image_after")
GROUP = 50  # rows whose pictures are in memory at once
INSTALL = "pyarrow is not installed: pip install 'moonhand[data]'"


def write_parquet(recordings: Sequence[Recording], out: Path) -> Exported:
    """All steps of all runs, those that failed included: `error` tells. MissingTool without pyarrow."""
    try:
        import pyarrow  # pyright: ignore[reportMissingTypeStubs] it has none
        from pyarrow import parquet  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise MissingTool(INSTALL) from error
    check_out(out, folder=True)
    check_steps(recordings)
    told = Told()
    picture = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    kinds: list[tuple[tuple[str, ...], Any, dict[str, str]]] = [
        (TEXTS, pyarrow.string(), {"dtype": "string", "_type": "Value"}),
        (WHOLES, pyarrow.int64(), {"dtype": "int64", "_type": "Value"}),
        (NUMBERS, pyarrow.float64(), {"dtype": "float64", "_type": "Value"}),
        (PICTURES, picture, {"_type": "Image"}),
    ]
    features = {name: feature for names, _, feature in kinds for name in names}
    schema: Any = pyarrow.schema([(name, kind) for names, kind, _ in kinds for name in names]).with_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    num_rows = 0
    file = out / DATA
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            rows = chain.from_iterable(_rows(recording, told) for recording in recordings)
            while group := list(islice(rows, GROUP)):
                writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
                num_rows += len(group)
    except OSError as error:
        raise BadRequest(f"{file} cannot be written: {error.strerror or error}") from error
    for recording in recordings:
        if not recording.steps:
            told.problems.append(f"{recording.path} holds no step; it was left out")
    card = write_text(out / "README.md", _card(recordings, num_rows))
    return Exported(
        files=(file, card),
        num_steps=num_rows,
        left_out=tuple(told.left_out),
        notes=tuple(told.notes),
        problems=tuple(told.problems),
    )


def _rows(recording: Recording, told: Told) -> Iterator[dict[str, Any]]:
    name = recording.path.resolve().name
    for step in recording.steps:
        known, action = step.surroundings, step.action
        points = () if action is None else action_points(action)
        size = step.before.size
        yield {
            "run": name,
            "goal": recording.goal,
            "source": str(recording.run.get("source", "agent")),
            "index": step.index,
            "turn": step.turn,
            "action_type": None if action is None else action.type,
            "action": None if action is None else json.dumps(action_to_json(action)),
            "action_01": None if action is None else json.dumps(step.action_01),
            "x_01": points[0].x_px / size.width_px if points else None,
            "y_01": points[0].y_px / size.height_px if points else None,
            "instruction": step.instruction,
            "thought": step.thought,
            "reply": step.reply,
            "error": step.error,
            "change": None if step.effect is None else step.effect.change,
            "url": None if known is None else known.url,
            "title": None if known is None else known.title,
            "element": None if known is None or known.element is None else json.dumps(asdict(known.element)),
            "confidence": step.confidence,
            "width_px": size.width_px,
            "height_px": size.height_px,
            "scale": step.before.scale,
            "started_at_s": step.started_at_s,
            "model_s": step.model_s,
            "act_s": step.act_s,
            "settle_s": step.settle_s,
            "image": _picture(step, step.before, told),
            "image_after": None if step.after is None else _picture(step, step.after, told),
        }


def _picture(step: Step, stored: StoredFrame, told: Told) -> dict[str, Any] | None:
    try:
        return {"bytes": stored.read().to_png(), "path": f"{stored.sha256}.png"}
    except TrajectoryError:
        told.note(f"step {step.index + 1}: a picture is missing or damaged and is null")
        return None


def _card(recordings: Sequence[Recording], num_rows: int) -> str:
    return (
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*.parquet\n"
        "tags:\n- gui-agent\n- moonhand\n---\n"
        f"{num_rows} steps of {len(recordings)} recorded runs, made by `moonhand traj export --to parquet`.\n"
        "Places in `action` are px of `image`; those in `action_01`, `x_01` and `y_01` are shares of it.\n"
    )
