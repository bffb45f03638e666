"""The arrows `tasks -> agent -> model | envs`, and the one home of every heavy library."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BELOW = {"tasks": {"agent", "model", "envs"}, "agent": {"model", "envs"}, "model": set[str](), "envs": set[str]()}
HOMES = {  # library -> the folders or files that may import it
    "torch": ("model/", "tasks/doctor_model.py", "tasks/model_bench/"),  # the doctor asks whether it imports
    "triton": ("model/kernels",),
    "httpx2": ("model/remote_http.py",),
    "ray": ("tasks/evals/executors/ray.py",),
    "transformers": ("tasks/model_bench/peer", "model/hf"),  # whom the bench measures beside, and who may use the model
    "fastapi": ("tasks/serve/",),
    "uvicorn": ("tasks/serve/", "tasks/mcp/"),
    "prometheus_client": ("tasks/serve/",),
    "mcp": ("tasks/mcp/",),
    "pypdfium2": ("tasks/ask/pdf_pages.py",),
    "huggingface_hub": ("tasks/checkpoint_hub.py",),
    "tiktoken": ("model/",),
    "safetensors": ("model/",),
    "mss": ("envs/grabber.py",),
    "pyautogui": ("envs/hands.py",),  # of the desktop
    "Xlib": tuple(
        f"envs/{name}.py"
        for name in (
            "hands",
            "display",
            "clipboard",
            "apps",
            "windows",
            "keymap",
            "panic",
            "target_sheet",
            "x_probes",
            "desktop_recorder",
        )
    ),
    "playwright": ("envs/open_browser.py", "envs/launch.py", "envs/tabs.py", "envs/page_", "envs/dialog_picture.py"),
    "typer": ("tasks/",),
    "rich": ("tasks/",),
}
BANNED = ("agent", "envs", "model", "tasks")  # only as moonhand.X or relative


@cache
def imported(path: Path) -> frozenset[str]:
    """Absolute names of what a file imports, wherever in the file: `..envs` of agent/loop.py is `moonhand.envs`."""
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    folders = ("moonhand", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=module, level=0) if module:
                yield module
            case ast.ImportFrom(module=module, names=names, level=level):
                start = ".".join(folders[: len(folders) - level + 1])
                yield from [f"{start}.{module}"] if module else [f"{start}.{name.name}" for name in names]
            case _:
                pass


@pytest.mark.parametrize("layer", BELOW)
def test_imports_only_point_down(layer: str) -> None:
    for path in (ROOT / layer).rglob("*.py"):
        ours = {name.split(".")[1] for name in imported(path) if name.startswith("moonhand.")}
        assert ours - {layer} <= BELOW[layer], path.relative_to(ROOT)


@pytest.mark.parametrize("layer", BELOW)
def test_heavy_libraries_stay_in_their_homes(layer: str) -> None:
    for path in (ROOT / layer).rglob("*.py"):
        place = path.relative_to(ROOT).as_posix()
        for name in {name.split(".")[0] for name in imported(path)}:
            assert name not in BANNED, f"{place} imports {name}"
            assert name not in HOMES or place.startswith(HOMES[name]), (
                f"{place} imports {name}, which belongs in {HOMES[name]}"
            )


def test_only_one_file_of_the_agent_talks_to_the_model() -> None:
    talking = {path.name for path in (ROOT / "agent").glob("*.py") if _imports_model_when_run(path)}
    assert talking == {"kimi.py"}


def _imports_model_when_run(path: Path) -> bool:
    """Whether the file imports the model outside `if TYPE_CHECKING:`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    ]
    return any(
        isinstance(node, ast.ImportFrom) and node.level == 2 and (node.module or "").split(".")[0] == "model"
        for node in ast.walk(tree)
        if node not in for_types
    )


@pytest.mark.parametrize("layer", BELOW)
def test_the_sources_are_ascii(layer: str) -> None:
    for path in (ROOT / layer).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        strange = {letter for letter in text if ord(letter) > 127} - set("\u25c1\u25b7")  # the thinking marks
        assert not strange, f"{path.relative_to(ROOT)} has {strange}"
