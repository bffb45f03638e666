"""The formats there are, and what each is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...agent import Recording
from .agentnet import write_agentnet
from .exported import Exported
from .film import write_gif, write_mp4
from .grounding import write_grounding
from .html_page import write_html
from .parquet import write_parquet
from .playwright_script import write_playwright, write_pytest
from .pyautogui_script import write_pyautogui
from .recorder import write_recorder
from .stepinfo import write_stepinfo


@dataclass(frozen=True)
class Format:
    """One way out. `suffix` is that of its file; None for a folder. `takes_many`: several runs make one file."""

    about: str
    suffix: str | None
    write: Callable[[Sequence[Recording], Path], Exported]
    takes_many: bool = False


FORMATS: dict[str, Format] = {
    "playwright": Format("a Playwright script for Python", ".py", write_playwright),
    "pytest": Format("a pytest test with Playwright, which asserts where the run ended", ".py", write_pytest),
    "pyautogui": Format("a pyautogui script with the recorded delays", ".py", write_pyautogui),
    "recorder": Format("Chrome DevTools Recorder, @puppeteer/replay", ".json", write_recorder),
    "agentnet": Format("AgentNet / OpenCUA rows, images beside", ".jsonl", write_agentnet, takes_many=True),
    "stepinfo": Format("BrowserGym's StepInfo as JSON, images beside", ".json", write_stepinfo),
    "grounding": Format("ScreenSpot-Pro rows for scoring, images beside", ".json", write_grounding, takes_many=True),
    "parquet": Format("a Hugging Face datasets folder (moonhand[data])", None, write_parquet, takes_many=True),
    "gif": Format("an animated picture with marks and captions", ".gif", write_gif),
    "mp4": Format("a film with marks and captions (moonhand[video])", ".mp4", write_mp4),
    "html": Format("the viewer's page, one file", ".html", write_html),
}
