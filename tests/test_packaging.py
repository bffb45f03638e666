"""The wheel and the sdist carry exactly what the four folders hold."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("agent", "envs", "model", "tasks")
WEIGHTS = Path("model", "nano", "model.safetensors")


@pytest.fixture(scope="module")
def source_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what packaging reads, so that building leaves nothing behind in the working tree.

    Its weights are a few bytes: numbers that no compression makes smaller take seconds to be packed twice.
    """
    copy = tmp_path_factory.mktemp("source")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", WEIGHTS.name))
    if (ROOT / WEIGHTS).exists():
        (copy / WEIGHTS).write_bytes(b"weights")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def dist_folder(source_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(source_folder)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return dist


def files_of_the_folders(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file()}


def test_wheel_carries_exactly_the_files_of_the_folders(source_folder: Path, dist_folder: Path) -> None:
    (wheel,) = dist_folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = {name.removeprefix("moonhand/") for name in archive.namelist() if name.startswith("moonhand/")}
        others = {name.split("/")[0] for name in archive.namelist() if not name.startswith("moonhand/")}
    assert carried == files_of_the_folders(source_folder)
    assert all(name.endswith(".dist-info") for name in others)


def test_sdist_carries_exactly_the_files_of_the_folders(source_folder: Path, dist_folder: Path) -> None:
    (sdist,) = dist_folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert {name for name in names if name.split("/")[0] in FOLDERS} == files_of_the_folders(source_folder)
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_wheel_carries_type_marks_and_the_demo(dist_folder: Path) -> None:
    (wheel,) = dist_folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"moonhand/{folder}/py.typed" for folder in FOLDERS} <= names
    assert {"moonhand/tasks/demo/signup.html", "moonhand/tasks/demo/script.yaml"} <= names


def test_the_wheel_stays_small(dist_folder: Path) -> None:
    (wheel,) = dist_folder.glob("*.whl")
    weights_bytes = (ROOT / WEIGHTS).stat().st_size if (ROOT / WEIGHTS).exists() else 0
    assert wheel.stat().st_size + weights_bytes < 50e6  # as if packing made the weights no smaller


def test_unpacked_wheel_runs_the_command_line(dist_folder: Path, tmp_path: Path) -> None:
    (wheel,) = dist_folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import moonhand.tasks.demo as demo; print(demo.__file__); demo.DEMO_SCRIPT.read_bytes()"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True).stdout
    assert printed.startswith(str(tmp_path))
