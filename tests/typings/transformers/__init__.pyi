# What we call of transformers is Any to us. Its own sources, of some 400 models, cost pyright half of its time.
from typing import Any

def __getattr__(name: str) -> Any: ...
