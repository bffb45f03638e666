"""Write `tests/golden/serve/transcripts.json` anew, from what OpenAI's client reads now.

    python -m pytest tests/tasks/serve/keep_transcripts.py

Look at the difference before it is committed: it is what clients will see.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import openai
from served_here import Served
from test_serve_chat import GOLDEN, transcripts

COMMAND = "python -m pytest tests/tasks/serve/keep_transcripts.py"


def test_keep(served: Served, uri_of: Callable[[str], str]) -> None:
    with openai.OpenAI(base_url=served.url, api_key="none", max_retries=0) as client:
        told = {"written_by": {"command": COMMAND, "openai": openai.__version__}}
        told |= {"transcripts": transcripts(client, uri_of("PNG"))}
    text = json.dumps(told, indent=1, ensure_ascii=False)
    (GOLDEN / "transcripts.json").write_text(text + "\n", encoding="utf-8")
