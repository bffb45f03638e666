from typing import Any

Concatenate: Any
MergeModulelist: Any
