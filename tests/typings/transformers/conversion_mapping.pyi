from typing import Any

WeightConverter: Any
register_checkpoint_conversion_mapping: Any
