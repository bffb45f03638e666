"""The suites that there is a reader for: what they are, where they come from, and how their authors average them.

What a person has not looked up for this table stands as "not checked"; no download and no licence is promised by it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

UNCHECKED = "not checked"


@dataclass(frozen=True, kw_only=True)
class SuiteInfo:
    """A suite. `rows` is how many its authors publish, None where that is up to you."""

    name: str
    title: str
    asks: Literal["clicks", "steps", "episodes"]
    rows: int | None
    where: str  # to get it
    size: str  # of the download
    licence: str
    metric: str  # how the published average is made
    layout: str  # which files are read

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def known_suites() -> tuple[SuiteInfo, ...]:
    """All of them, what needs no download first."""
    pro = SuiteInfo(
        name="screenspot-pro",
        title="ScreenSpot-Pro",
        asks="clicks",
        rows=1581,
        where="huggingface.co/datasets/likaixin/ScreenSpot-Pro (not checked)",
        size=UNCHECKED,
        licence="MIT (not checked)",
        metric="share of all rows; tables by group x ui_type",
        layout="annotations/*.json and images/, or Parquet; or a log of its own program",
    )
    osworld = SuiteInfo(
        name="osworld-g",
        title="OSWorld-G",
        asks="clicks",
        rows=564,
        where="github.com/xlang-ai/OSWorld-G, folder benchmark",
        size=UNCHECKED,
        licence="Apache-2.0 (not checked)",
        metric="share of all rows, 54 refusals among them; many report 510 without those",
        layout="OSWorld-G.json, classification_result.json and images/, or Parquet",
    )
    return (
        SuiteInfo(
            name="generated",
            title="Screens of our own, drawn by seed",
            asks="clicks",
            rows=None,
            where="moonhand eval generate DIR",
            size="about 70 kB a screen",
            licence="yours",
            metric="share of all rows",
            layout="suite.json and images/",
        ),
        SuiteInfo(
            name="miniwob",
            title="MiniWoB++",
            asks="episodes",
            rows=None,
            where="pip install 'moonhand[miniwob]'",
            size="2 MB",
            licence="MIT",
            metric="share of episodes that succeed",
            layout="the pages of the package",
        ),
        SuiteInfo(
            name="screenspot",
            title="ScreenSpot",
            asks="clicks",
            rows=1272,
            where="github.com/njucckevin/SeeClick, huggingface.co/datasets/rootsautomation/ScreenSpot",
            size="0.6 GB as Parquet",
            licence="Apache-2.0",
            metric="mean of the 6 cells platform x ui_type; others publish the share of all rows",
            layout="screenspot_{mobile,desktop,web}.json and pictures, or Parquet",
        ),
        SuiteInfo(
            name="screenspot-v2",
            title="ScreenSpot-V2",
            asks="clicks",
            rows=1272,
            where="huggingface.co/datasets/OS-Copilot/ScreenSpot-v2",
            size=UNCHECKED,
            licence="Apache-2.0 (not checked)",
            metric="both averages are published: the mean of 6 cells, and the share of all rows",
            layout="screenspot_{mobile,desktop,web}_v2.json and pictures, or Parquet",
        ),
        pro,
        _other(pro, "screenspot-pro-cn", "ScreenSpot-Pro, asked in Chinese"),
        _other(pro, "screenspot-pro-negative", "ScreenSpot-Pro, nothing asked for is there", "share of refusals"),
        osworld,
        _other(osworld, "osworld-g-refined", "OSWorld-G, refined instructions"),
        SuiteInfo(
            name="agentnetbench",
            title="AgentNetBench",
            asks="steps",
            rows=None,
            where="github.com/xlang-ai/OpenCUA, folder evaluation/agentnetbench",
            size=UNCHECKED,
            licence="MIT",
            metric="mean score of all steps",
            layout="a JSON file a task, and images/",
        ),
        SuiteInfo(
            name="own",
            title="Your own rows and screenshots",
            asks="clicks",
            rows=None,
            where="docs/evaluation_data.md",
            size="",
            licence="yours",
            metric="share of all rows",
            layout="*.json or *.jsonl and pictures, or Parquet",
        ),
    )


def _other(info: SuiteInfo, name: str, title: str, metric: str | None = None) -> SuiteInfo:
    """The same files, read in another way."""
    return replace(info, name=name, title=title, metric=metric or info.metric)
