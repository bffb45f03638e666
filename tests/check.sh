#!/usr/bin/env bash
# Every gate a change must pass, in the order that fails fastest. Arguments go to pytest, which then uses one process.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=.venv/bin
[ -x "$bin/pytest" ] || { echo "check: the development tools are missing; run: make test" >&2; exit 3; }

"$bin/ruff" format --check .
"$bin/ruff" check .
PYRIGHT_PYTHON_IGNORE_WARNINGS=1 "$bin/pyright" --threads 2
if [ $# -gt 0 ]; then
    "$bin/python" -m pytest "$@"
else
    # Much of a test of screens is waiting: two workers more than there are cores. Each keeps whole files together.
    workers=$(($(nproc) + 2))
    # Each worker rewrites every test file, and each program that a test starts compiles ours, where nothing is kept.
    unset PYTHONDONTWRITEBYTECODE
    failures=.pytest_cache/v/cache/lastfailed
    rm -f "$failures"
    status=0
    OMP_NUM_THREADS=1 "$bin/python" -m pytest -n "$((workers < 8 ? workers : 8))" --dist loadfile --no-loadscope-reorder \
        -o faulthandler_exit_on_timeout=true || status=$? # a test that hangs costs its worker, not the whole run
    [ "$status" -eq 1 ] || exit "$status"
    # Real screens on crowded cores now and then answer too late. One or two tests that failed have to pass three times
    # in a row, alone; what they said above stays to be read. More than two are no accident.
    mapfile -t failed < <("$bin/python" -c "import json, sys; print(*json.load(open(sys.argv[1])), sep='\n')" "$failures")
    [ ${#failed[@]} -gt 0 ] && [ ${#failed[@]} -le 2 ] || exit 1
    for _ in 1 2 3; do "$bin/python" -m pytest "${failed[@]}"; done
    printf 'check: failed beside other tests and passed alone: %s\n' "${failed[@]}" >&2
fi
