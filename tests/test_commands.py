"""What is told of the commands: the reference, what Tab brings, and what `moonhand` alone shows."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from moonhand.tasks.completion import TABLE, complete, typed
from moonhand.tasks.welcome import DEMO_PICTURE, called, missing, to_try, welcome
from PIL import Image
from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage] (what is installed)
from write_commands import written

MOONHAND = Path(sys.executable).with_name("moonhand")
BASH = """
{script}
COMP_WORDS=({words}); COMP_CWORD={place}
_moonhand_completion {program}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def candidates(*words: str) -> list[str]:
    """What may stand where the last word is."""
    *before, start = words
    return [one.value for one in complete(before, start, json.loads(TABLE.read_text(encoding="utf-8")))]


def in_bash(*words: str, program: Path = MOONHAND) -> list[str]:
    script = get_completion_script(prog_name="moonhand", complete_var="_MOONHAND_COMPLETE", shell="bash")
    quoted = " ".join(map(shlex.quote, ("moonhand", *words)))
    code = BASH.format(script=script, words=quoted, place=len(words), program=program)
    told = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stderr == ""
    return told.stdout.split()


def asked(shell: str, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    asks = {**os.environ, "_MOONHAND_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line, **environ}
    return subprocess.run([MOONHAND], env=asks, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("path", ["commands.md", "completion.json"])
def test_what_is_written_of_the_commands_is_current(path: str) -> None:
    (content,) = [content for file, content in written().items() if file.name == path]
    (file,) = [file for file in written() if file.name == path]
    assert file.read_text(encoding="utf-8") == content, "run: python tests/write_commands.py"


def test_tab_in_bash_brings_commands_flags_and_values() -> None:
    assert in_bash("gro") == ["ground"]
    assert in_bash("replay", "--mode", "a") == ["anchored"]
    assert "--overlay" in in_bash("ground", "a.png", "'click OK'", "--")  # with its quotes, as bash has it


def test_tab_after_each_kind_of_word() -> None:
    assert {"run", "eval", "traj"} <= set(candidates(""))
    assert candidates("eval", "ru") == ["run"]
    assert "screenspot-v2" in candidates("eval", "run", "")
    assert "ui-tars" in candidates("parse", "--json", "--dialect", "ui")
    assert candidates("ground", "--model", "n") == ["nano"]
    assert candidates("ground", "--device=c") == ["--device=cpu", "--device=cuda"]
    assert candidates("ground", "--device", "=", "c") == ["cpu", "cuda"]  # as bash parts it
    assert candidates("demo", "--dtype", "bf") == ["bfloat16"]
    assert candidates("demo", "--dtype", "b4") == []
    assert candidates("nonsense", "") == candidates("")


def test_tab_where_a_file_is_to_come_leaves_it_to_the_shell() -> None:
    assert candidates("ground", "") == []
    assert candidates("ground", "--overlay", "") == []
    assert asked("zsh", "moonhand ground ").stdout == "_files\n"
    assert asked("fish", "moonhand ground ", _TYPER_COMPLETE_FISH_ACTION="is-args").returncode == 1


def test_zsh_and_fish_are_told_what_a_word_is_for() -> None:
    assert asked("zsh", "moonhand gro").stdout == """_arguments '*: :(("ground":"Find one thing on a screenshot"))'\n"""
    assert asked("fish", "moonhand gro").stdout == "ground\tFind one thing on a screenshot\n"
    assert asked("fish", "moonhand gro", _TYPER_COMPLETE_FISH_ACTION="is-args").returncode == 0


def test_a_quote_that_is_still_open_is_no_error() -> None:
    environ = {"COMP_WORDS": "moonhand\nground\na.png\n'click Sign", "COMP_CWORD": "3"}
    assert typed("bash", environ) == (["ground", "a.png"], "click Sign")
    assert typed("zsh", {"_TYPER_COMPLETE_ARGS": "moonhand run 'a"}) == (["run"], "a")


def test_tab_loads_neither_the_command_line_nor_numpy() -> None:
    code = "import sys; from moonhand.tasks import __main__; print({'numpy', 'typer', 'pydantic'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_moonhand_alone_shows_commands_that_work(capsys: pytest.CaptureFixture[str]) -> None:
    started_s = time.process_time()
    welcome()
    assert time.process_time() - started_s < 0.3
    told = capsys.readouterr().out
    assert "moonhand --help" in told
    for one in to_try(Path.cwd(), f"{sys.executable} -m moonhand.tasks"):  # as pytest was not called moonhand
        assert one.command in told
        assert candidates(one.words[3]) == [one.words[3]]


def test_the_commands_of_the_welcome_are_called_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(MOONHAND)])
    monkeypatch.setenv("PATH", "/usr/bin")
    assert called() == str(MOONHAND)
    monkeypatch.setenv("PATH", str(MOONHAND.parent))
    assert called() == "moonhand"


def test_what_is_missing_comes_with_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [one.mend for one in missing({"MOONHAND_CHROMIUM": "/nowhere/chromium"})] == ["unset MOONHAND_CHROMIUM"]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (chromium,) = missing({})
    assert chromium.mend.startswith(f"{sys.executable} -m playwright install --with-deps chromium")


def test_the_bundled_picture_is_the_demo_page(tmp_path: Path) -> None:
    assert to_try(tmp_path)[1].words[2] == str(DEMO_PICTURE)
    with Image.open(DEMO_PICTURE) as picture:
        assert picture.size == (460, 420)


@pytest.mark.slow
@pytest.mark.browser
def test_each_command_of_the_welcome_ends_well(tmp_path: Path) -> None:
    for one in to_try(tmp_path):
        ended = subprocess.run([MOONHAND, *one.words[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert ended.returncode == 0, ended.stderr
        if "ground" in one.words:
            x_px, y_px = (float(word[2:]) for word in ended.stdout.split()[:2])
            assert 25 < x_px < 195  # within "Create account"
            assert 310 < y_px < 345
