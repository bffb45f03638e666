"""Makes and ends runs in FOLDER/0, FOLDER/1, ...: the writer is interrupted at its first line, its second, and so on.

Prints how many lines it has: so many runs were interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from moonhand.agent import Trajectory


def is_interrupted(folder: Path, left: Iterator[int]) -> bool:
    """Make and end a run; whether KeyboardInterrupt came when no line was left."""

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.endswith("/trajectory/writer.py"):
            return None
        if event == "line" and next(left, None) is None:
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        with Trajectory(folder, goal="") as trajectory:
            trajectory.finish("finished")
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


if __name__ == "__main__":
    number = 0
    while is_interrupted(Path(sys.argv[1]) / str(number), iter(range(number))):
        number += 1
    print(number)
