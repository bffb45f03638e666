"""The doctor: what it looks at, that each trouble comes with the command that mends it, and how far clicks are off."""

from __future__ import annotations

import json
import os
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from moonhand.envs import Size, VirtualDisplay
from moonhand.tasks import doctor as doctor_module
from moonhand.tasks.calibrate_surfaces import calibrate_all, outcomes_to_json
from moonhand.tasks.cli import app
from moonhand.tasks.doctor import Probe, look, works
from moonhand.tasks.doctor_extras import EXTRAS, Extra, check_extra
from moonhand.tasks.doctor_machine import UNTESTED, check_disk, check_fonts, check_system
from moonhand.tasks.doctor_model import HELD, check_decoding, check_memory, check_model
from moonhand.tasks.doctor_screen import (
    check_capture,
    check_chromium,
    check_clipboard,
    check_display,
    check_input,
    check_kiosk,
    check_virtual_display,
)
from moonhand.tasks.finding import Finding
from PIL import Image
from typer.testing import CliRunner


@pytest.mark.browser
@pytest.mark.display
def test_a_sound_machine_is_found_sound(
    middle_checkpoint: Path, virtual_display: VirtualDisplay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", virtual_display.display)
    result = CliRunner().invoke(app, ["doctor", "--json", "--model", str(middle_checkpoint)])
    assert result.exit_code == 0, result.stdout
    answer = json.loads(result.stdout)
    assert answer["ok"]
    assert {"group", "name", "ok", "needed", "detail", "mend", "took_s"} == answer["findings"][0].keys()
    found = {finding["name"]: finding for finding in answer["findings"]}
    sound = (
        "python",
        "system",
        "chromium",
        "kiosk",
        "display",
        "input",
        "virtual display",
        "clipboard",
        "torch",
        "bf16",
    )
    assert [name for name in sound if not found[name]["ok"]] == [], found
    assert {"disk", "secrets", "fonts", "capture", "python-xlib", "gpu", "decoding"} < found.keys()
    assert {f"model {middle_checkpoint}", *(f"16B in {held}" for held in HELD)} < found.keys()
    assert all(finding["ok"] or finding["mend"] or name == "gpu" for name, finding in found.items())


# python-xlib leaves the sockets of a connection open that was refused.
@pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_trouble_comes_with_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    troubles = [
        check_chromium({"MOONHAND_CHROMIUM": str(tmp_path / "none")}),
        check_chromium({"MOONHAND_CHROMIUM": str(broken)}),
        check_display({}),
        check_display({"WAYLAND_DISPLAY": "wayland-0"}),
        check_display({"DISPLAY": ":59535"}),
        check_capture(":59535"),
        check_input(":59535"),
        check_system("Darwin"),
        check_system("Plan9"),
    ]
    monkeypatch.setenv("PATH", str(tmp_path))
    troubles += [check_virtual_display(), check_clipboard(), check_fonts(), check_kiosk({})]
    assert [trouble for trouble in troubles if trouble.ok or not trouble.mend] == []
    assert "does not start" in troubles[1].detail
    assert "Wayland" in troubles[3].detail


def test_systems_nobody_tried_say_what_they_ask_of_a_person() -> None:
    for system in UNTESTED:
        assert "untested" in check_system(system).detail
    assert "Accessibility and Screen Recording" in check_system("Darwin").detail


def test_damaged_weights_are_found(middle_checkpoint: Path, tmp_path: Path) -> None:
    for source in middle_checkpoint.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    finding = check_model(str(tmp_path))
    assert not finding.ok
    assert finding.needed
    assert not works((finding,))


def test_a_server_that_does_not_answer_is_found() -> None:
    finding = check_model("openai:http://127.0.0.1:9/v1")
    assert (finding.ok, finding.needed) == (False, True)
    assert "127.0.0.1:9" in finding.detail
    assert finding.mend


def test_memory_is_told_for_each_way_a_checkpoint_is_held() -> None:
    needs = [float(check_memory(held).detail.split()[1]) for held in HELD]
    assert needs == [31.2, 16.7, 10.0]  # GiB


def test_a_probe_that_hangs_or_breaks_is_a_finding_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "PROBE_LIMIT_S", 0.05)

    def hang() -> Finding:
        time.sleep(0.5)
        raise AssertionError

    def break_down() -> Finding:
        raise ImportError("half installed")

    hung = look(Probe("desktop", "capture", hang))
    broken = look(Probe("page", "chromium", break_down, needed=True))
    assert (hung.ok, hung.needed, hung.detail) == (False, False, "did not answer in 0.05 s")
    assert (broken.ok, broken.needed, broken.detail) == (False, True, "ImportError: half installed")
    assert hung.mend
    assert broken.mend


def test_a_cache_folder_that_cannot_be_written_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    found = check_decoding()
    assert found.detail.startswith("by PyTorch alone: the cache folder /proc/nowhere/moonhand/native cannot be written")
    assert found.mend
    assert found.mend.startswith("export XDG_CACHE_HOME=")


def test_disk_space_is_looked_at_where_runs_go(tmp_path: Path) -> None:
    assert check_disk(tmp_path).ok
    assert str(tmp_path) in check_disk(tmp_path).detail


@pytest.mark.display
def test_an_empty_screen_is_not_taken_for_a_picture() -> None:
    with VirtualDisplay(Size(64, 48)) as screen:
        found = check_capture(screen.display)
    assert not found.ok
    assert "all black" in found.detail


def test_doctor_prints_a_table_for_people_and_leaves_with_3_where_a_run_would_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    result = CliRunner().invoke(app, ["doctor", "--model", str(tmp_path / "none")])
    assert result.exit_code == 3
    for words in ("This machine", "Pages", "Desktops", "The model", "Extras", "missing", "looked at in"):
        assert words in result.stdout
    verdict, *mends = result.stdout[result.stdout.index("not ready: ") :].splitlines()
    assert verdict == f"not ready: chromium, model {tmp_path / 'none'} missing; to mend that:"
    assert "playwright install --with-deps chromium" in mends[0]
    assert len(mends) == 2


@pytest.mark.browser
def test_the_last_line_of_a_sound_machine_says_what_is_ready(
    middle_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    probes = {"python", "chromium", "torch", f"model {middle_checkpoint}"}  # others look at the rest

    def fewer(environ: Mapping[str, str], model: str) -> Iterator[Probe]:
        return (probe for probe in all_probes(environ, model) if probe.name in probes)

    all_probes = doctor_module._probes  # pyright: ignore[reportPrivateUsage] (each costs seconds)
    monkeypatch.setattr(doctor_module, "_probes", fewer)
    result = CliRunner().invoke(app, ["doctor", "--model", str(middle_checkpoint)])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"ready: pages, with model {middle_checkpoint}; try moonhand demo"


def test_an_extra_that_is_not_installed_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "data", Extra("rows", ("no_such_module",)))
    found = check_extra("data")
    assert (found.ok, found.needed, found.mend) == (False, False, "pip install 'moonhand[data]'")
    assert works((found,))


def test_each_extra_of_the_package_for_people_has_its_row() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for_people = set(project["optional-dependencies"]) - {"dev", "docs", "secrets"}  # secrets has a row of its own
    assert for_people <= set(EXTRAS)


@pytest.mark.browser
@pytest.mark.display
@pytest.mark.slow
def test_clicks_are_calibrated_on_every_surface_there_is() -> None:
    environ = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    outcomes = calibrate_all(environ)
    names = [outcome.surface for outcome in outcomes]
    assert names == ["headless page", "headless page", "kiosk page", "virtual display"]
    assert [outcome.found.worst_px for outcome in outcomes if outcome.found] == [0, 0, 0, 0]
    assert outcomes_to_json(outcomes)["ok"], outcomes_to_json(outcomes)


@pytest.mark.slow
@pytest.mark.display
def test_this_machines_display_is_calibrated_and_drawn(
    tmp_path: Path, virtual_display: VirtualDisplay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", virtual_display.display)
    monkeypatch.setenv("MOONHAND_CHROMIUM", "/nowhere/chromium")  # the pages are left out
    picture = tmp_path / "clicked.png"
    result = CliRunner().invoke(app, ["doctor", "--calibrate", "--json", "--picture", str(picture)])
    assert result.exit_code == 0, result.stdout
    *pages, display = json.loads(result.stdout)["surfaces"]
    assert [page["why"] for page in pages if page["ok"]] != []
    assert (display["targets"], display["unseen"], display["missed"], display["worst_px"]) == (200, 0, 0, 0)
    with Image.open(picture) as image:
        assert image.size == (800, 600)
        assert image.getpixel((10, 10)) == (90, 255, 90)  # a cross on the first target, hit


def test_a_picture_without_calibration_is_refused() -> None:
    assert CliRunner().invoke(app, ["doctor", "--picture", "out.png"]).exit_code == 2
