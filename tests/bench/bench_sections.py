"""What the scripts beside it share: their flags, the table, the JSON line."""

from __future__ import annotations

import argparse
import json

from moonhand.tasks.console import people
from moonhand.tasks.model_bench.bench import Effort
from moonhand.tasks.model_bench.command import show
from moonhand.tasks.model_bench.report import measure
from moonhand.tasks.model_bench.subject import Request


def run_sections(description: str | None, *sections: str) -> None:
    """Measure these sections of what the command line names."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="small", help="small, kimi3, instruct, nano, or a checkpoint's folder")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quantize", default=None)
    parser.add_argument("--no-peer", action="store_true")
    flags = parser.parse_args()
    request = Request(source=flags.config, dtype=flags.dtype, device=flags.device, quantize=flags.quantize)
    result = measure(request, sections, effort=Effort(with_peer=not flags.no_peer))
    show(result, people())
    print(json.dumps(result.to_json()))
