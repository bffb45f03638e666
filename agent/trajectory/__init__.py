"""A run on disk that survives a crash: `run.json`, append-only `steps.jsonl`, and every picture once in `frames/`.

    run.json            what was run, with which model and versions; its result once there is one (replaced atomically)
    steps.jsonl         one step a line, on the disk before the next step begins
    frames/SHA256.png   a frame, named by its content; SHA256.crop.png holds what differs from another one

A kill at any moment leaves a folder that `read_trajectory` opens; at most the step in flight is missing. Agent runs,
replays, human demonstrations and calls by a program are written alike.
"""

from .frames import FRAMES_FOLDER, FrameStore, StoredFrame
from .lines import step_from_json, step_to_json
from .reader import Recording, read_trajectory
from .record import Decided, RunResult, Source, Step, Variable
from .run_file import FORMAT, FORMAT_VERSION, RUN_FILE, STEPS_FILE, new_run_folder, versions
from .writer import Trajectory

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "FRAMES_FOLDER",
    "RUN_FILE",
    "STEPS_FILE",
    "Decided",
    "FrameStore",
    "Recording",
    "RunResult",
    "Source",
    "Step",
    "StoredFrame",
    "Trajectory",
    "Variable",
    "new_run_folder",
    "read_trajectory",
    "step_from_json",
    "step_to_json",
    "versions",
]
