from typing import Any

load_image: Any
