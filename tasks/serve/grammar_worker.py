"""A process that looks at grammars somebody sent, so that one which takes minutes or crashes takes nobody else along.

    python -m moonhand.tasks.serve.grammar_worker CPU_S

Each line on stdin is {"kind": ..., "text": ...}, each on stdout {"error": null or why}. A grammar that takes more than
CPU_S seconds of processor time ends the process, by a signal, as does one that overflows the compiler's stack.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import Any

STEPS = 256  # bytes of a reply that are tried: an ambiguous grammar takes longer with each
SPARE_BYTES = 1 << 30  # of address space, beside what the process has when it begins
STACK_BYTES = 1 << 20  # a thread of the server's has more


def main() -> None:
    """Until stdin ends."""
    _limit_memory()
    threading.stack_size(STACK_BYTES)
    worker = threading.Thread(target=_answer, args=(float(sys.argv[1]),))
    worker.start()
    worker.join()


def _answer(cpu_s: float) -> None:
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, cpu_s)  # SIGPROF ends a process that does not take it
        asked = json.loads(line)
        why = check(asked["kind"], asked["text"])
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps({"error": why}), flush=True)


def check(kind: Any, text: str) -> str | None:
    """Why a grammar cannot be used; None where its beginning can be followed, byte by byte."""
    import llguidance
    import numpy as np

    from ...model.errors import BadGrammar
    from ...model.grammar import Grammar, one_line

    try:
        grammar = Grammar(text, kind)
    except BadGrammar as error:
        return str(error)
    matcher = llguidance.LLMatcher(
        llguidance.LLTokenizer("byte"),
        grammar.serialized,
        log_level=0,
        limits=llguidance.LLParserLimits(verbose_errors=False),
    )
    for _ in range(STEPS):
        if matcher.is_error() or matcher.is_stopped():
            break
        bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
        allowed = np.flatnonzero(bits[:256])
        if not len(allowed):
            break
        matcher.consume_token(int(allowed[len(allowed) // 3]))
    if matcher.is_error():
        said = one_line(matcher.get_error()).replace("NoExtensionBias", "it allows no text")
        return f"the {kind} grammar cannot be used: {said}"
    return None


def _limit_memory() -> None:
    """Where the system can."""
    try:
        import resource
        from pathlib import Path

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + SPARE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return


if __name__ == "__main__":
    main()
