"""The page of a run, in a real Chromium: it needs nothing, keeps text text, and follows the keyboard."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from moonhand.agent import Recording, Step, Trajectory, read_trajectory
from moonhand.envs import Action, Click, Effect, Finish, Frame, Refuse, TypeText, Wait
from moonhand.tasks.cli import app
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.screens.synthetic import draw_screen
from moonhand.tasks.viewer import write_page
from moonhand.tasks.viewer.align import align
from moonhand.tasks.viewer.live import watched
from moonhand.tasks.viewer.pack import QUICK, Packer, changed_crop, encode, within
from moonhand.tasks.viewer.told import as_script_text, outcome, plain, step_told
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from typer.testing import CliRunner

HOSTILE = (
    "</script><script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 2'>",
    "<!--<script>",
    "]]>{{ 7 * 7 }}\u2028&lt;b&gt;\ud800 \u202e",
)


def screens(count: int) -> list[Frame]:
    """Two screens in turn of which a part changes from one to the next: 320x220 px."""
    rng = Random(3)
    shown: list[Frame] = []
    pixels_HW3 = draw_screen(rng, 320, 220).pixels_HW3
    for number in range(count):
        pixels_HW3 = np.array(pixels_HW3 if number % 4 else draw_screen(rng, 320, 220).pixels_HW3)
        pixels_HW3[10 * number : 10 * number + 8, 20:90] = (number * 20, 90, 200)
        shown.append(Frame(pixels_HW3))
    return shown


def write_run(
    folder: Path, actions: Sequence[Action | None], frames: Sequence[Frame] | None = None, **said: Any
) -> Path:
    """A run of these actions, each from its frame to the next."""
    frames = frames or screens(len(actions) + 1)
    with Trajectory(folder, goal=said.pop("goal", "sign up")) as trajectory:
        stored = [trajectory.store(frame) for frame in frames]
        for index, action in enumerate(actions):
            effect = Effect(True, "done", index != 2, 0.02, 0.05, change="no_change" if index == 2 else "changed_near")
            known: dict[str, Any] = {
                "reply": f"reply number {index}",
                "thought": "thinking",
                "confidence": 0.9,
                "model_s": 0.2,
                "error": None if action else "no action in it",
            } | said
            trajectory.append(
                Step(
                    index=index,
                    turn=index,
                    before=stored[index],
                    after=stored[index + 1] if action else None,
                    action=action,
                    effect=effect if action else None,
                    started_at_s=1.7e9 + index,
                    **known,
                )
            )
        trajectory.finish("finished", success=True)
    return folder


ACTIONS = (
    Click(x_px=60, y_px=40),
    TypeText(text="Ada"),
    Click(x_px=200, y_px=100),
    None,
    Click(x_px=300, y_px=200),
    TypeText(text="Grace"),
    Finish(),
)


@dataclass
class Opened:
    """A page of Chromium with all that it said and asked for."""

    page: Page
    troubles: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector("html[data-shown-ms]", state="attached")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def step(self) -> str:
        return self.page.inner_text("[aria-current] .caption b")

    def settled(self) -> None:
        """The frame shows the step that is marked."""
        self.page.wait_for_selector(f".view[data-step='{self.step}']")

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Generator[Browser]:
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Opened:
    """One page for all tests: each new one is a process."""
    tab = Opened(browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light"))
    tab.page.on("console", lambda message: tab.troubles.append(message.text))
    tab.page.on("pageerror", lambda error: tab.troubles.append(str(error)))
    tab.page.on("request", lambda request: tab.requests.append(request.url))
    return tab


@pytest.fixture
def opened(tab: Opened) -> Generator[Opened]:
    """Whatever a test does: nothing on the console, and no request but for the page itself."""
    tab.troubles.clear()
    tab.requests.clear()
    yield tab
    assert not tab.troubles
    assert len({request.partition("#")[0] for request in tab.requests}) <= 2  # the page, and a live one's events


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("viewer") / "run", ACTIONS)


@pytest.fixture(scope="module")
def page_file(run_folder: Path) -> Path:
    return write_page(read_trajectory(run_folder), run_folder / "view.html").path


@pytest.mark.browser
def test_the_page_needs_nothing_but_itself(page_file: Path, opened: Opened) -> None:
    opened.open(page_file.as_uri())
    assert opened.requests == [page_file.as_uri()]
    assert opened.page.title() == "run - moonhand"
    assert "finished, and checked" in opened.text(".title")
    assert opened.text(".detail h2") == "click (60, 40)"
    assert opened.page.evaluate("document.querySelectorAll('.cell').length") == len(ACTIONS)


@pytest.mark.browser
def test_keys_lead_through_the_steps_and_the_address_follows(page_file: Path, opened: Opened) -> None:
    opened.open(page_file.as_uri())
    places: list[str] = []
    for key in ("ArrowRight", "j", "ArrowLeft", "k", "k", "End", "j", "Home", "PageDown", "p", "p", "n"):
        opened.press(key)
        places.append(opened.step)
    assert places == ["2", "3", "2", "1", "1", "7", "7", "1", "7", "4", "3", "4"]  # n and p: what stands out
    opened.page.wait_for_url("**#step=4")
    opened.page.evaluate("location.hash = '#step=6'")
    opened.page.wait_for_selector(".view[data-step='6']")
    opened.page.reload()
    opened.page.wait_for_selector("html[data-shown-ms]", state="attached")
    assert opened.step == "6"
    opened.page.evaluate("location.hash = '#step=99'")
    assert opened.step == "6"


@pytest.mark.browser
def test_keys_change_what_is_shown_of_a_step(page_file: Path, opened: Opened) -> None:
    opened.open(page_file.as_uri())
    shown = "document.querySelector('.paper').dataset.shown"
    seen: list[str] = []
    for key in ("a", "a", "s", "]", "[", "["):
        opened.press(key)
        opened.settled()
        seen.append(f"{opened.page.evaluate(shown)} {opened.page.get_attribute('.grip', 'aria-valuenow')}")
    assert seen == ["after 50", "before 50", "slider 50", "slider 55", "slider 50", "slider 45"]
    opened.page.focus(".grip")
    opened.press("ArrowRight", "ArrowRight")
    assert opened.page.get_attribute(".grip", "aria-valuenow") == "49"
    assert opened.step == "1"
    box = opened.page.locator(".paper").bounding_box()
    assert box is not None
    opened.page.mouse.move(box["x"] + 10, box["y"] + 20)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 30)
    opened.page.mouse.up()
    assert opened.page.get_attribute(".grip", "aria-valuenow") == "75"
    assert opened.page.locator(".marks .cross").count() == 1
    opened.press("o", "d")
    opened.page.wait_for_selector(".marks .differs", state="attached")
    assert "of the pixels" in opened.text(".said")
    assert opened.page.locator(".marks .cross").count() == 0


@pytest.mark.browser
def test_keys_open_search_help_facts_and_the_other_theme(page_file: Path, opened: Opened) -> None:
    opened.open(page_file.as_uri())
    paper = "getComputedStyle(document.body).backgroundColor"
    light = opened.page.evaluate(paper)
    opened.press("t")
    assert opened.page.evaluate(paper) != light
    opened.press("t")
    assert opened.page.evaluate(paper) == light
    opened.press("?")
    assert "next step" in opened.text("dialog[open]")
    opened.press("j", "Escape", "i")
    assert "the goal was reached" in opened.text("dialog[open]")
    opened.press("Escape", "/")
    opened.page.keyboard.type("grace")
    assert (opened.text(".found"), opened.step) == ("1 of 7", "6")
    opened.press("Enter", "j", "j")
    assert opened.step == "6"
    opened.press("/", "Escape", "j")
    assert opened.step == "7"
    opened.press("/")
    opened.page.keyboard.type("failed")
    assert (opened.text(".found"), opened.step) == ("1 of 7", "4")
    assert "no action in it" in opened.text(".detail .error")


@pytest.mark.browser
def test_hostile_text_is_text(tmp_path: Path, opened: Opened) -> None:
    said = " ".join(HOSTILE)
    actions = [TypeText(text=said), Refuse(reason=said), None]
    told: dict[str, Any] = {"goal": said, "reply": said, "thought": said, "instruction": said}
    run = write_run(tmp_path / "run</title><script>window.hit = 3<", [*actions], **told)
    opened.open(write_page(read_trajectory(run), tmp_path / "view.html").path.as_uri())
    for key in ("j", "j", "k", "i"):
        opened.press(key)
    assert opened.page.evaluate("window.hit") is None
    assert all(
        words in opened.page.evaluate("document.querySelector('.detail pre').textContent") for words in HOSTILE[:3]
    )
    assert HOSTILE[1] in opened.text("dialog[open] pre")
    assert HOSTILE[0] in opened.page.evaluate("document.querySelector('h1').textContent")
    assert opened.page.locator("img[onerror]").count() == 0


@pytest.mark.browser
def test_frames_that_are_missing_or_damaged_leave_a_placeholder(tmp_path: Path, opened: Opened) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (len(ACTIONS) + 1, 60, 90, 3), dtype=np.uint8)  # no crops
    folder = write_run(tmp_path / "run", ACTIONS, [Frame(each) for each in noise])
    steps = read_trajectory(folder).steps
    steps[0].before.path.write_bytes(b"no picture")
    steps[2].before.path.unlink()
    written = write_page(read_trajectory(folder), tmp_path / "view.html")
    assert len(written.problems) >= 2
    opened.open(written.path.as_uri())
    assert "cannot be read as a picture" in opened.text(".hole")
    opened.press("a")
    opened.page.wait_for_selector(".paper:visible")
    opened.press("a", "j")
    opened.page.wait_for_selector(".paper:visible")
    opened.press("j")
    opened.page.wait_for_selector(".hole:visible")
    opened.press("s", "j", "j")
    opened.page.wait_for_selector(".view[data-step='5'] .paper:visible")
    assert "problem" in opened.text(".title")
    assert str(tmp_path) not in written.path.read_text(), "a page that is sent to others tells no folder"


@pytest.mark.browser
def test_every_picture_is_the_frame_pixel_for_pixel(tmp_path: Path, opened: Opened) -> None:
    frames = screens(12)
    folder = write_run(tmp_path / "run", [Wait()] * 11, frames)
    opened.open(write_page(read_trajectory(folder), tmp_path / "view.html").path.as_uri())
    pixels = """() => {
      const shown = document.querySelector(".picture"), canvas = shown.cloneNode();
      const pen = canvas.getContext("2d", { willReadFrequently: true });
      pen.drawImage(shown, 0, 0);
      const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
      let text = "";
      for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
      return btoa(text);
    }"""
    for number in (10, 3, 0):
        opened.page.locator(".cell").nth(number).click()
        opened.settled()
        shown = np.frombuffer(base64.b64decode(opened.page.evaluate(pixels)), np.uint8).reshape(220, 320, 4)
        assert np.array_equal(shown[..., :3], frames[number].pixels_HW3)


@pytest.mark.browser
def test_two_runs_stand_side_by_side_and_a_key_leads_to_the_next_difference(
    run_folder: Path, tmp_path: Path, opened: Opened
) -> None:
    other_actions = [*ACTIONS[:2], Click(x_px=280, y_px=100), *ACTIONS[3:5], TypeText(text="Hedy"), Finish()]
    other = write_run(tmp_path / "again", other_actions)
    written = write_page(read_trajectory(run_folder), tmp_path / "two.html", other=read_trajectory(other))
    assert (written.num_differing, written.num_pictures) == (2, len(ACTIONS) + 1), (
        "pictures of both runs are there once"
    )
    opened.open(written.path.as_uri())
    assert opened.page.locator(".view").count() == 2
    assert opened.page.locator(".cell.differs").count() == 2
    places: list[str] = []
    for key in ("n", "n", "n", "p"):
        opened.press(key)
        places.append(opened.step)
    assert places == ["3", "6", "6", "3"]
    assert "place differs" in opened.text(".detail")


def test_runs_of_other_lengths_are_aligned_by_what_was_done(run_folder: Path, tmp_path: Path) -> None:
    steps = read_trajectory(run_folder).steps
    pairs = align(steps, (*steps[:3], *steps[4:]))
    assert [(pair.one, pair.other) for pair in pairs] == [(0, 0), (1, 1), (2, 2), (3, None), (4, 3), (5, 4), (6, 5)]
    assert [pair.differences for pair in pairs if pair.differences] == [("only here",)]
    assert align((), steps[:1])[0].differences == ("only there",)


def test_a_changed_part_laid_over_the_picture_before_makes_the_one_after() -> None:
    rng = np.random.default_rng(5)
    before: NDArray[np.uint8] = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    for places in (1, 3, 2000):
        after = before.copy()
        after[rng.integers(0, 40, places), rng.integers(0, 60, places)] = 7
        left, top, crop = changed_crop(before, after)
        whole = Image.fromarray(before).convert("RGBA")
        part = Image.open(io.BytesIO(encode(crop, QUICK))).convert("RGBA")
        whole.alpha_composite(part, (left, top))
        assert np.array_equal(np.asarray(whole)[..., :3], after)
    assert changed_crop(before, before)[2].shape[:2] == (1, 1)


def test_a_budget_makes_the_largest_pictures_lossy_and_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 200, 300, 3), dtype=np.uint8)
    folder = write_run(tmp_path / "run", [Wait(), Wait()], [Frame(each) for each in noise])
    packer = Packer(QUICK)
    pictures = [packer.add(step.before) for step in read_trajectory(folder).steps]
    assert not any(picture.is_lossy for picture in within([each for each in pictures if each], 10**7))
    written = write_page(read_trajectory(folder), tmp_path / "view.html", budget_mb=0.55)
    assert (written.num_lossy, written.num_pictures) == (2, 3)


def test_what_the_page_is_told_is_plain_json(run_folder: Path) -> None:
    recording: Recording = read_trajectory(run_folder)
    assert [outcome(step) for step in recording.steps] == ["good", "good", "idle", "failed", "good", "good", "good"]
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    told = plain({"nan": float("nan"), "long": "x" * 99_999, "deep": deep, 3: {1.5}, "at": Path("/x")})
    assert (told["nan"], told["3"], told["at"]) == (None, [1.5], "/x")
    assert told["long"].endswith("(49,999 more characters)")
    text = as_script_text([*HOSTILE, step_told(recording.steps[0])])
    assert text.isascii()
    assert "<" not in text
    assert json.loads(text)[:2] == list(HOSTILE[:2])


def test_the_command_writes_the_page_and_says_what_is_in_it(run_folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["traj", "view", str(run_folder), "--out", str(tmp_path / "a.html"), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["steps"], told["pictures"], told["problems"]) == (0, 7, 8, [])
    assert told["bytes"] == (tmp_path / "a.html").stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{tmp}/none"], 3, "holds no trajectory"),
        (["{run}", "--out", "{tmp}/view.png"], 2, "name the file view.html"),
        (["{run}", "--out", "{tmp}/none/view.html"], 2, "mkdir -p"),
        (["{run}", "{tmp}"], 3, "holds no trajectory"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(
    arguments: list[str], code: int, words: str, run_folder: Path, tmp_path: Path
) -> None:
    named = [argument.format(tmp=tmp_path, run=run_folder) for argument in arguments]
    left = CliRunner().invoke(app, ["traj", "view", *named, "--no-open", "--json"])
    assert left.exit_code == code
    assert words in json.loads(left.stdout)["error"]


@pytest.mark.browser
def test_a_run_without_a_step_has_a_page_too(tmp_path: Path, opened: Opened) -> None:
    with Trajectory(tmp_path / "run", goal="nothing") as trajectory:
        trajectory.finish("error", error="EnvError: the page is gone")
    opened.open(write_page(read_trajectory(tmp_path / "run"), tmp_path / "view.html").path.as_uri())
    opened.press("j", "n", "a", "d", "End", "i")
    assert "the page is gone" in opened.text(".detail")


def test_a_folder_that_cannot_be_written_is_told(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "view.html").mkdir()
    with pytest.raises(BadRequest, match="cannot be written"):
        write_page(read_trajectory(run_folder), tmp_path / "view.html")
    assert [path.name for path in tmp_path.iterdir()] == ["view.html"]


@pytest.mark.browser
def test_a_run_shows_step_by_step_while_it_goes_on_and_stays_when_it_is_over(
    run_folder: Path, tmp_path: Path, opened: Opened
) -> None:
    words, seen, page = io.StringIO(), list[Step](), opened.page
    first, second, third, *_ = read_trajectory(run_folder).steps
    with Trajectory(tmp_path / "run", goal="watch me") as trajectory:
        with watched(trajectory.path, seen.append, Console(file=words), opens=False) as watch:
            watch(first)
            page.goto(words.getvalue().split()[1])
            page.wait_for_selector(".view[data-step='1'] .paper:visible")
            watch(second)
            page.wait_for_selector(".view[data-step='2']")
            assert "live" in opened.text(".title .chips")
            opened.press("k")  # whoever looks at an earlier step is left there
            watch(third)
            page.wait_for_selector(".cell >> nth=2")
            assert opened.step == "1"
            trajectory.finish("finished")
        assert seen == [first, second, third]
        page.wait_for_selector(".chip.good:has-text('finished')")
        with pytest.raises(OSError, match="refused"):
            urlopen(page.url, timeout=5)
        opened.press("End")
        page.wait_for_selector(".view[data-step='3'] .paper:visible")
        assert opened.text(".detail pre") == "reply number 2"


@pytest.mark.slow
@pytest.mark.browser
def test_200_steps_stay_small_and_open_at_once() -> None:
    bench = Path(__file__).parent.parent / "bench" / "bench_viewer.py"
    done = subprocess.run(
        [sys.executable, str(bench), "--repeats", "3"], capture_output=True, text=True, timeout=500, check=True
    )
    print(done.stdout)
    rows = json.loads(done.stdout.splitlines()[-1])
    for name in ("usual", "all new"):
        assert rows[name]["MB"] < 30
        assert rows[name]["shown_s"] < 6  # 0.5 s on a machine that does nothing else
