"""A recorded run done again without a model, each target looked for before it is touched.

It stops at the first step whose target cannot be verified, and says what differs.
"""

from .config import Mode, ReplayConfig
from .divergence import Divergence, Kind
from .patch import Patch, accept, read_patches, reject
from .replay import replay, replay_to_end
from .report import REPORT_FILE, Verdict, read_report
from .variables import name_variable, values_of

__all__ = [
    "REPORT_FILE",
    "Divergence",
    "Kind",
    "Mode",
    "Patch",
    "ReplayConfig",
    "Verdict",
    "accept",
    "name_variable",
    "read_patches",
    "read_report",
    "reject",
    "replay",
    "replay_to_end",
    "values_of",
]
