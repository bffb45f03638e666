#!/usr/bin/env bash
# Brings a Debian or Ubuntu machine to where moonhand runs. Each part is quick when nothing is missing.
#   setup.sh venv demo|test|eval   .venv with the package (test: and its development tools, eval: what nano is
#                             trained and measured with)
#   setup.sh browser          a Chromium
#   setup.sh shell            a Chromium without windows, where there is a package of it: tests start many
#   setup.sh desktop          Xvfb, openbox, xclip, xrandr, xdotool, xterm and Tk, for tests of the desktop
#   setup.sh fonts            typefaces, for training and evaluating nano and their tests
# PYTHON=/path/to/python3 chooses the interpreter; MOONHAND_CHROMIUM=/path/to/chromium the browser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

TORCH_FOR_CPU="torch==2.13.0"
FONTS=( # family=Debian package
    "DejaVu Sans=fonts-dejavu" "DejaVu Math TeX Gyre=fonts-dejavu" "Liberation Sans=fonts-liberation"
    "Open Sans=fonts-open-sans" "Roboto=fonts-roboto" "Lato=fonts-lato" "Cantarell=fonts-cantarell"
    "Noto Sans=fonts-noto-core" "Noto Serif=fonts-noto-core"
)

say() { printf 'setup: %s\n' "$*" >&2; }

fail() { # what is missing, then each command that mends it
    say "$1"
    shift
    printf '         %s\n' "$@" >&2
    exit 3
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

apt_install() { # installs Debian packages, or answers 1 where this user may not or there is no apt
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null || return 1
    say "installing with apt-get: $*"
    as_root apt-get update -q >&2 </dev/null || return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2 </dev/null
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.14; do
        if command -v "$name" >/dev/null && is_new_enough "$name"; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

has_nvidia_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

make_venv() {
    local python
    python=$(find_python) || {
        apt_install python3 python3-venv || true
        python=$(find_python) || fail "Python 3.11 or newer is missing" \
            "sudo apt-get install python3 python3-venv" "or name one: make PYTHON=/path/to/python3.12 demo"
    }
    has_venv "$python" || apt_install python3-venv || true
    has_venv "$python" || fail "$python has no venv module" "sudo apt-get install python3-venv"
    say "creating .venv with $python"
    "$python" -m venv --clear .venv || fail ".venv could not be created with $python" "sudo apt-get install python3-venv"
}

set_up_venv() {
    local requirement="-e ."
    case "$1" in
    test) requirement="-e .[dev]" ;;
    eval) requirement="-e .[miniwob,ocr]" ;;
    esac
    if ! { [ -x .venv/bin/python ] && is_new_enough .venv/bin/python && .venv/bin/python -m pip --version; } >/dev/null 2>&1; then
        make_venv
    fi
    local pip=(.venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check)
    # Without a GPU the pinned torch goes in first: a bare `torch` could bring gigabytes of CUDA libraries.
    if ! has_nvidia_gpu && ! .venv/bin/python -c 'import torch' 2>/dev/null; then
        say "no NVIDIA GPU found: installing $TORCH_FOR_CPU (takes a minute or two)"
        "${pip[@]}" "$TORCH_FOR_CPU" </dev/null || fail "$TORCH_FOR_CPU could not be installed" \
            "check the network, then: .venv/bin/python -m pip install $TORCH_FOR_CPU"
    fi
    say "installing moonhand and what it needs"
    # shellcheck disable=SC2086 -- two words on purpose
    "${pip[@]}" $requirement </dev/null || fail "pip could not install moonhand (its message is above)" \
        "check the network, then: .venv/bin/python -m pip install $requirement"
}

has_chromium() { # one that starts, looked for where moonhand looks
    local found
    found=$(.venv/bin/python -c '
import os
from moonhand.envs import find_chromium
print(find_chromium(os.environ.get("MOONHAND_CHROMIUM")) or "")') || return 1
    [ -n "$found" ] && "$found" --version >/dev/null 2>&1 </dev/null
}

set_up_browser() {
    has_chromium && return 0
    [ -z "${MOONHAND_CHROMIUM:-}" ] || fail "MOONHAND_CHROMIUM=$MOONHAND_CHROMIUM does not start" "unset MOONHAND_CHROMIUM"
    say "no Chromium found: trying 'playwright install chromium'"
    if timeout 600 .venv/bin/playwright install chromium </dev/null >.venv/playwright-install.log 2>&1; then
        has_chromium && return 0
        # Downloaded but does not start: its shared libraries are missing.
        as_root .venv/bin/playwright install-deps chromium >>.venv/playwright-install.log 2>&1 </dev/null || true
        has_chromium && return 0
    fi
    say "Playwright could not bring one (.venv/playwright-install.log says why)"
    apt_install chromium || true
    has_chromium || fail "Chromium is missing; any one of these mends it:" \
        ".venv/bin/playwright install --with-deps chromium" "sudo apt-get install chromium" \
        "export MOONHAND_CHROMIUM=/path/to/chromium"
}

set_up_shell() { # it draws the same in two thirds of the time; nothing is missing without it
    [ -z "${MOONHAND_CHROMIUM:-}" ] && ! command -v chromium-headless-shell chrome-headless-shell >/dev/null || return 0
    apt-cache show chromium-headless-shell >/dev/null 2>&1 || return 0
    apt_install chromium-headless-shell || say "without chromium-headless-shell the tests take longer"
}

set_up_desktop() {
    local missing=()
    command -v Xvfb >/dev/null || missing+=(xvfb)
    command -v openbox >/dev/null || missing+=(openbox)
    command -v xclip >/dev/null || missing+=(xclip)
    command -v xrandr >/dev/null || missing+=(x11-xserver-utils)
    command -v xdotool >/dev/null || missing+=(xdotool)
    command -v xterm >/dev/null || missing+=(xterm)
    .venv/bin/python -c 'import tkinter' 2>/dev/null || missing+=(python3-tk)
    if [ ${#missing[@]} -gt 0 ]; then
        apt_install "${missing[@]}" || fail "missing for the tests of the desktop: ${missing[*]}" \
            "sudo apt-get install ${missing[*]}"
    fi
    .venv/bin/python -c 'import tkinter' 2>/dev/null || fail "the Python of .venv is built without tkinter" \
        "use Debian's: make clean && make PYTHON=/usr/bin/python3 test"
}

has_font() { [ "$(fc-match --format '%{family[0]}' "$1" 2>/dev/null)" = "$1" ]; }

set_up_fonts() { # the typefaces that nano's screens and the evaluation's pages are drawn in
    local pair missing=()
    command -v fc-match >/dev/null || missing+=(fontconfig)
    for pair in "${FONTS[@]}"; do
        has_font "${pair%%=*}" || missing+=("${pair##*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    apt_install "${missing[@]}" || fail "typefaces are missing: ${missing[*]}" "sudo apt-get install ${missing[*]}"
}

case "${1:-}" in
venv) set_up_venv "${2:-demo}" ;;
browser) set_up_browser ;;
shell) set_up_shell ;;
desktop) set_up_desktop ;;
fonts) set_up_fonts ;;
*)
    sed -n '2,9s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
