"""Record what a program does with a model, and do it again without one: each target is looked for, then touched.

python examples/record_and_replay.py runs/example
"""

from __future__ import annotations

import sys
from pathlib import Path

from moonhand.agent import Trajectory, browser, read_trajectory
from moonhand.agent.replay import replay_to_end

PAGE = (Path(__file__).parent / "pages" / "signup.html").as_uri()


def main(folder: Path) -> None:
    with browser(PAGE, model="nano", viewport=(460, 420), record=folder / "recorded") as screen:
        screen.type("Ada Lovelace", into="Full name")
        screen.type("ada@example.com", into="Email")
        screen.press("tab")
    recorded = folder / "recorded"
    recording = read_trajectory(recorded)
    print("recorded", len(recording.steps), "steps; see them with: moonhand traj view", recorded)

    with browser(PAGE, viewport=(460, 420)) as screen:
        with Trajectory(folder / "replayed", goal="", source="replay", replay_of=str(recorded)) as trajectory:
            result = replay_to_end(recording, screen.env, trajectory)
        print("replayed:", result.status)
        screen.expect("Ada Lovelace").visible(timeout_s=2)
        screen.expect("ada@example.com").visible(timeout_s=2)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example"))
