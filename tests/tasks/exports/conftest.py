"""Recorded runs that the exports and imports are tried on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from bundled_runs import BUNDLED
from moonhand.agent import Recording, read_trajectory
from moonhand.tasks.demo import DEMO_FOLDER, serve_folder

PAGES = {"signup": DEMO_FOLDER, "kinds": BUNDLED / "pages"}


@pytest.fixture(scope="session")
def bundled() -> Callable[[str], Recording]:
    return lambda name: read_trajectory(BUNDLED / name)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[[str], Path]]:
    """A bundled run whose pages are served: a copy of its folder with the address of the server in it."""
    servers = {name: serve_folder(folder) for name, folder in PAGES.items()}
    addresses = {name: server.__enter__() for name, server in servers.items()}

    def copy(name: str) -> Path:
        folder = tmp_path_factory.mktemp("served") / name
        shutil.copytree(BUNDLED / name, folder)
        url = str(read_trajectory(folder).run["env"]["url"])
        old = url[: url.rindex("/") + 1]
        for file in (folder / "run.json", folder / "steps.jsonl"):
            file.write_text(file.read_text(encoding="utf-8").replace(old, addresses[name]), encoding="utf-8")
        return folder

    yield copy
    for server in servers.values():
        server.__exit__(None, None, None)
