"""Draw a suite of screens whose answers are known, ask nano, and print how often it is right.

python examples/evaluate_nano.py runs/suite 24
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MOONHAND = (sys.executable, "-m", "moonhand.tasks")


def main(folder: Path, questions: int) -> None:
    moonhand("eval", "generate", str(folder / "data"), "--n", str(questions), "--size", "480x440")
    found = moonhand("eval", "run", "generated", "--data", str(folder / "data"), "--out", str(folder / "run"))
    print(found["correct"], "of", found["n"], "right:", json.dumps(found["ci95"]), "holds the share with 95 %")


def moonhand(*arguments: str) -> dict[str, object]:
    """What the command prints as JSON."""
    done = subprocess.run([*MOONHAND, *arguments, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/suite"), int(sys.argv[2]) if len(sys.argv) > 2 else 24)
