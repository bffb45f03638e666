#!/usr/bin/env bash
# Every gate a change must pass, in the order that fails fastest. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=.venv/bin
[ -x "$bin/pytest" ] || { echo "check: the development tools are missing; run: make test" >&2; exit 3; }

"$bin/ruff" format --check .
"$bin/ruff" check .
PYRIGHT_PYTHON_IGNORE_WARNINGS=1 "$bin/pyright"
"$bin/python" -m pytest "$@"
