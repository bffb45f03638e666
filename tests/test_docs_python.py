"""The Python in the pages: what can run does, and of the rest every line compiles and every import is there."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from moonhand.agent import LazyEngine, Screen, browser, virtual_display
from moonhand.envs import AsyncEnv

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SITE = "https://shop.example"
RUN = ("README.md", "docs/python.md")  # each block alone, on the page below in place of SITE
RUN_BY_PYTEST = "docs/testing.md"  # its first block
NOT_RUN = {  # why not; these compile, and what they import is there
    "docs/agentnetbench.md": "needs the recordings of the benchmark",
    "docs/dialects.md": "goes on from a reply and a frame of the reader's",
    "docs/miniwob.md": "500 episodes, and pages that are installed apart",
    "docs/model.md": "needs a published checkpoint",
    "docs/remote.md": "needs a server with a GPU",
    "docs/screens.md": "is a test of the reader's own page",
    "docs/serving.md": "needs a server that runs",
    "docs/testing.md": "its later blocks are parts of a conftest",
    "docs/training.md": "trains",
    "docs/trajectory.md": "reads a recording of the reader's",
    "docs/transformers.md": "needs a published checkpoint",
    "docs/uses/automation.md": "names things that only a shop has",
    "docs/viewer.md": "reads a recording of the reader's",
}
# What a page has told of before its block.
GIVEN = {
    "client",
    "engine",
    "env",
    "folder",
    "frame",
    "messages",
    "model",
    "objective",
    "pixels_HW3",
    "reply",
    "sampling",
    "screen",
    "source",
}
SHOP = """<!doctype html><meta charset=utf-8><title>Shop</title>
<style>%s</style><header><b>Shop</b></header><main>
<form id=form novalidate><h1>Your account</h1>
  <label for=email>Email</label><input id=email type=email name=email>
  <div class=terms><label><input type=checkbox name=terms> I agree</label></div>
  <div class=buttons><button type=submit>Sign up</button><button type=button>Cancel</button></div></form>
<p id=done></p></main>
<script>form.addEventListener("submit", (event) => {
  event.preventDefault(); form.hidden = true; done.textContent = `Thank you, ${email.value}`; })</script>"""


def shop() -> str:
    """A page with what the blocks name, that looks as the bundled form does."""
    signup = (ROOT / "examples" / "pages" / "signup.html").read_text(encoding="utf-8")
    return SHOP % signup.partition("<style>")[2].partition("</style>")[0]


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def pages() -> list[str]:
    return [name for page in PAGES if blocks(name := page.relative_to(ROOT).as_posix())]


def test_of_every_page_with_python_it_is_said_whether_it_runs() -> None:
    assert set(pages()) <= {*RUN, *NOT_RUN}


@pytest.mark.parametrize("written", pages())
def test_the_python_of_a_page_compiles_and_its_names_are_there(written: str) -> None:
    for block in blocks(written):
        tree = compile(block, written, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert isinstance(tree, ast.Module)
        assert list(missing_imports(tree)) == []
        assert names_used(tree) - names_made(tree) - set(dir(builtins)) <= GIVEN


@pytest.mark.parametrize("thing", [Screen.expect, Screen.extract, browser, virtual_display, LazyEngine, AsyncEnv])
def test_the_example_of_a_docstring_compiles_and_calls_what_a_screen_has(thing: object) -> None:
    lines = inspect.cleandoc(thing.__doc__ or "").splitlines()
    example = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ")))
    tree = compile(example, "docstring", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    assert tree.body
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "screen":
            assert hasattr(Screen, node.attr)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.display
@pytest.mark.parametrize("written", RUN)
def test_the_python_of_a_page_runs(
    written: str, serve: Callable[[Mapping[str, str]], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where blocks put runs and pictures
    address = serve({"/": shop()}) + "/"
    for block in blocks(written):
        exec(compile(block.replace(SITE, address), written, "exec"), {"__name__": "__main__"})


@pytest.mark.slow
@pytest.mark.browser
def test_the_test_of_the_page_about_tests_runs(
    pytester: pytest.Pytester, serve: Callable[[Mapping[str, str]], str]
) -> None:
    first, conftest = blocks(RUN_BY_PYTEST)
    pytester.makepyfile(first.replace(SITE, serve({"/": shop()}) + "/"))
    pytester.makeconftest(conftest)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def missing_imports(tree: ast.Module) -> Iterator[str]:
    """Of our own packages: what a reader could not import."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("moonhand")):
            continue
        module = importlib.import_module(node.module)
        for name in node.names:
            if not hasattr(module, name.name) and find_spec(f"{node.module}.{name.name}") is None:
                yield f"{node.module}.{name.name}"


def names_used(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def names_made(tree: ast.Module) -> set[str]:
    made = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            made |= {(name.asname or name.name).split(".")[0] for name in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
    return made
