"""The step loop: a screenshot and a goal become actions on a screen and a trajectory on the disk.

Importing this package loads no torch, browser or desktop library: they come with the first screen or model opened.
"""

from .approval import Approval, ApprovePolicy, Decision, Instead, Request, Skip, Stop, Yes
from .async_screen import AsyncScreen, async_browser, async_desktop, async_virtual_display
from .async_target import AsyncExpectation, AsyncTarget
from .dialects import Parsed, write_kimi
from .errors import AgentError, BadGoal, BadProfile, CannotAnswer, NotSeen, ParseError, TargetRefused, TrajectoryError
from .expect import Sighting, seen, wait_until_seen
from .expectation import Expectation
from .extract import Extracted, extract
from .fingerprint import Fingerprint, bits_apart, fingerprint
from .kimi import KimiPolicy
from .lazy_engine import LazyEngine
from .live_target import LiveTarget
from .locate import locate
from .loop import RunConfig, run, run_to_end
from .openers import browser, default_viewport, desktop, virtual_display
from .overlay import Mark, draw, draw_grounding, draw_step, draw_target, strip
from .policy import Policy, Reply, ScriptedPolicy
from .profile_files import find_profile, load_profile, to_toml
from .profiles import PROFILES, PromptProfile, named_profile, profile_for
from .screen import Screen
from .steps import ScriptStep, describe_step, parse_steps
from .target import Target
from .trajectory import (
    Recording,
    RunResult,
    Source,
    Step,
    StoredFrame,
    Trajectory,
    Variable,
    new_run_folder,
    read_trajectory,
)
from .zoom import ZoomConfig

__all__ = [
    "PROFILES",
    "AgentError",
    "Approval",
    "ApprovePolicy",
    "AsyncExpectation",
    "AsyncScreen",
    "AsyncTarget",
    "BadGoal",
    "BadProfile",
    "CannotAnswer",
    "Decision",
    "Expectation",
    "Extracted",
    "Fingerprint",
    "Instead",
    "KimiPolicy",
    "LazyEngine",
    "LiveTarget",
    "Mark",
    "NotSeen",
    "ParseError",
    "Parsed",
    "Policy",
    "PromptProfile",
    "Recording",
    "Reply",
    "Request",
    "RunConfig",
    "RunResult",
    "Screen",
    "ScriptStep",
    "ScriptedPolicy",
    "Sighting",
    "Skip",
    "Source",
    "Step",
    "Stop",
    "StoredFrame",
    "Target",
    "TargetRefused",
    "Trajectory",
    "TrajectoryError",
    "Variable",
    "Yes",
    "ZoomConfig",
    "async_browser",
    "async_desktop",
    "async_virtual_display",
    "bits_apart",
    "browser",
    "default_viewport",
    "describe_step",
    "desktop",
    "draw",
    "draw_grounding",
    "draw_step",
    "draw_target",
    "extract",
    "find_profile",
    "fingerprint",
    "load_profile",
    "locate",
    "named_profile",
    "new_run_folder",
    "parse_steps",
    "profile_for",
    "read_trajectory",
    "run",
    "run_to_end",
    "seen",
    "strip",
    "to_toml",
    "virtual_display",
    "wait_until_seen",
    "write_kimi",
]
