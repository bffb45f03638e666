"""What a person does, recorded as actions."""

from .deeds import Deed, Habits
from .demonstration import Demonstration, Recorder
from .reducer import Reducer, reduced

__all__ = ["Deed", "Demonstration", "Habits", "Recorder", "Reducer", "reduced"]
