"""The report of a run: figures that agree, a page that needs nothing and does what a hostile reply says to nobody."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from moonhand.envs import Point, Size
from moonhand.tasks.console import CannotWrite
from moonhand.tasks.errors import BadRequest
from moonhand.tasks.evals.compare import compare_verdicts
from moonhand.tasks.evals.prediction import Failure, Outcome, Prediction
from moonhand.tasks.evals.prediction_files import line_of
from moonhand.tasks.evals.report.compare_page import write_compare
from moonhand.tasks.evals.report.gallery import cards, choose
from moonhand.tasks.evals.report.opening import suite_of_run
from moonhand.tasks.evals.report.published import published_for
from moonhand.tasks.evals.report.rows import Row, rows_of
from moonhand.tasks.evals.report.thumbnails import crop_for
from moonhand.tasks.evals.report.words import percent
from moonhand.tasks.evals.report.write import Written, write_report, write_report_of
from moonhand.tasks.evals.sample import BoxAnswer, GroundingSample, PolygonAnswer, RefusalAnswer, Suite
from moonhand.tasks.evals.score import score
from moonhand.tasks.evals.verdict_files import judged
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

pytestmark = pytest.mark.browser
ANNOTATIONS = "MOONHAND_ANNOTATIONS"  # a folder with screenspot_v2/ and screenspot_pro/
SIZE = Size(640, 400)
HOSTILE = (
    "</script><script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 2'>",
    "\"' onfocus=window.hit=3 autofocus x='",
    "<!--<script>",
    "{{ 7 * 7 }} \u2028 \ud800 \u202e",
)


def sample(number: int, image: Path | None, *, refusal: bool = False, polygon: bool = False) -> GroundingSample:
    left, top = 20 + 13 * number % 500, 20 + 29 * number % 320
    answer = BoxAnswer(left, top, left + 10 + 3 * number, top + 14)
    if refusal:
        answer = RefusalAnswer()
    elif polygon:
        answer = PolygonAnswer((Point(left, top), Point(left + 40, top), Point(left, top + 40)))
    return GroundingSample(
        id=f"row-{number}",
        image=image,
        size=SIZE,
        instruction=f"{HOSTILE[number % len(HOSTILE)]} thing number {number}",
        answer=answer,
        groups={"platform": ("web" if number % 2 else "<b>desktop",), "ui_type": ("icon" if number % 3 else "text",)},
    )


def prediction(of: GroundingSample, number: int) -> Prediction:
    raw, sure = f"click {HOSTILE[number % len(HOSTILE)]}", (number % 10) / 10
    match number % 8:
        case 0:
            return Prediction(id=of.id, raw=raw, failure=Failure.WRONG_FORMAT, error=f"no place in {HOSTILE[0]}")
        case 1:
            return Prediction(id=of.id, raw=raw, refused=True, confidence=sure)
        case 2:
            return Prediction(id=of.id, raw=raw, point=Point(SIZE.width_px + 7.5, 3), confidence=sure)
        case 3 | 4:
            return Prediction(id=of.id, raw=raw, point=Point(5 * number, 300), confidence=sure, prompt_tokens=900)
        case _:
            middle = Point(5, 5)
            if isinstance(of.answer, BoxAnswer):
                middle = Point(of.answer.left_px, of.answer.top_px)
            return Prediction(id=of.id, raw=raw, point=middle, confidence=sure, generated_tokens=12)


def small_run(folder: Path) -> Suite:
    """A result folder of 41 samples, one of them not answered, two rows left out, pictures but for the last ten."""
    picture = folder / "screen.png"
    rng = np.random.default_rng(1)
    noise_HW3 = rng.integers(0, 255, (SIZE.height_px // 8, SIZE.width_px // 8, 3), dtype=np.uint8)
    Image.fromarray(noise_HW3.repeat(8, 0).repeat(8, 1)).save(picture)
    samples = tuple(
        sample(number, picture if number < 31 else None, refusal=number % 9 == 1, polygon=number % 7 == 3)
        for number in range(41)
    )
    suite = Suite(
        name="ScreenSpot-Pro",
        samples=samples,
        files={"a<b>.json": "f" * 64},
        convention="xyxy px",
        skipped=("broken-1", "broken-2"),
        cells=("platform", "ui_type"),
    )
    lines = [line_of(prediction(each, number)) for number, each in enumerate(samples[:-1])]
    (folder / "predictions.jsonl").write_text("".join(lines))
    times = [{"id": each.id, "model_s": 0.2 + 0.01 * n, "wait_s": 0.0, "attempts": 1} for n, each in enumerate(samples)]
    (folder / "timings.jsonl").write_text("".join(json.dumps(each) + "\n" for each in times))
    manifest = {"suite": {"name": suite.name}, "model": {"name": "nano <i>"}, "zoom": None}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return suite


@pytest.fixture(scope="module")
def suite_and_report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Suite, Written]:
    folder = tmp_path_factory.mktemp("run")
    suite = small_run(folder)
    return suite, write_report(folder, suite)


@pytest.fixture(scope="module")
def written(suite_and_report: tuple[Suite, Written]) -> Written:
    return suite_and_report[1]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Generator[Browser]:
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as browser:
        yield browser


@dataclass
class Opened:
    page: Page
    troubles: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])

    def open(self, path: Path, theme: str = "light") -> None:
        self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def shown(self) -> list[str]:
        return self.values(".shot:not([hidden])", "number")

    def values(self, selector: str, name: str) -> list[str]:
        return self.page.eval_on_selector_all(selector, "(shots, name) => shots.map(shot => shot.dataset[name])", name)


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Opened:
    tab = Opened(browser.new_page(viewport={"width": 1280, "height": 800}))
    tab.page.on("console", lambda message: tab.troubles.append(message.text))
    tab.page.on("pageerror", lambda error: tab.troubles.append(str(error)))
    tab.page.on("request", lambda request: tab.requests.append(request.url))
    return tab


@pytest.fixture
def opened(tab: Opened) -> Generator[Opened]:
    """Whatever a test does: nothing on the console, no script but ours, no request but for pages and their own data."""
    tab.troubles.clear()
    tab.requests.clear()
    yield tab
    assert not tab.troubles
    assert tab.page.evaluate("window.hit") is None
    assert all(url.startswith(("file://", "data:")) for url in tab.requests)


def test_page_markdown_and_json_say_the_same(written: Written, opened: Opened) -> None:
    report = json.loads((written.html.parent / "report.json").read_text())
    text = (written.html.parent / "report.md").read_text()
    result = report["result"]
    assert result["n"] == 43
    assert report["suite"]["denominator"] == 43
    opened.open(written.html)
    page = opened.page.inner_text("body")
    macro, refusals = result["accuracy_macro"], result["refusal"]["true_refusal_rate"]
    assert opened.page.inner_text("#accuracy") == percent(result["accuracy"])
    for share in (result["accuracy"], macro, *(each["accuracy"] for each in result["groups"]["ui_type"].values())):
        assert percent(share) in text
        assert percent(share) in page
    assert percent(refusals) in page
    assert f"{report['confidence']['ece']:.3f}" in page
    assert f"{report['confidence']['ece']:.3f}" in text
    assert f"{result['correct']} right of {result['n']}" in page
    assert f"{result['correct']} right of {result['n']}" in text


def test_the_outcomes_add_up_to_the_denominator(suite_and_report: tuple[Suite, Written]) -> None:
    suite, written = suite_and_report
    report = written.report
    assert sum(sum(counts.values()) for counts in report["expected"].values()) == suite.denominator
    assert report["expected"]["broken_row"] == {"skipped": 2}
    assert report["expected"]["target"]["missing"] == 1
    assert report["within_px"][0]["correct"] == report["result"]["outcomes"]["hit"]
    assert sum(each["n"] for each in report["seconds"]) == report["result"]["latency"]["model_s"]["n"]
    assert sum(each["n"] for each in report["confidence"]["bins"]) == report["confidence"]["n"]
    assert report["confidence"]["surest"][-1]["n"] == report["confidence"]["n"]


def test_a_whole_run_is_not_called_a_part_and_a_part_is(written: Written, tmp_path: Path) -> None:
    assert "Not a whole run" in (written.html.parent / "report.md").read_text()
    one = sample(5, None)
    whole = write_report_of(
        Suite(name="mine", samples=(one,), files={}), {one.id: prediction(one, 5)}, {}, tmp_path / "new"
    )
    assert "Not a whole run" not in whole.html.read_text()
    assert "Not a whole run" not in (whole.html.parent / "report.md").read_text()


def test_a_failure_is_shown_where_it_happened(written: Written, opened: Opened) -> None:
    opened.open(written.html)
    assert written.num_cards == len(opened.shown()) == 43 - 2 - written.report["result"]["correct"]
    assert len(opened.values(".shot:has(image)", "number")) == written.num_pictures > 10
    wrong = opened.page.query_selector(".shot[data-number='4']")
    assert wrong is not None
    point, target = wrong.query_selector("circle.point"), wrong.query_selector("polygon.target")
    assert point is not None
    assert target is not None
    assert (point.get_attribute("cx"), point.get_attribute("cy")) == ("20.0", "300.0")
    assert (target.get_attribute("points") or "").split()[0] == "72,136"


def test_the_gallery_filters_by_outcome_group_and_words(written: Written, opened: Opened) -> None:
    opened.open(written.html)
    everything = opened.shown()
    assert everything == sorted(everything, key=int)
    opened.page.uncheck("#kinds input[value=wrong]", force=True)
    assert all(int(number) % 8 not in (3, 4) for number in opened.shown())
    assert 0 < len(opened.shown()) < len(everything)
    opened.page.select_option("#group", label="web")
    assert all(int(number) % 2 for number in opened.shown())
    opened.page.keyboard.press("Escape")
    opened.page.fill("#search", "number 17")
    assert opened.shown() == ["17"]
    assert opened.page.inner_text("#shown") == "1 shown"
    opened.page.fill("#search", "no such words")
    assert opened.shown() == []
    assert opened.page.is_visible("#none")


def test_the_gallery_sorts_by_distance_and_confidence(written: Written, opened: Opened) -> None:
    opened.open(written.html)
    opened.page.select_option("#sort", label="farthest first")
    values = opened.values(".shot", "distance")
    told = [float(value) for value in values if value]
    assert told == sorted(told, reverse=True)
    assert values[len(told) :] == [""] * (len(values) - len(told))  # what has none comes last
    opened.page.select_option("#sort", label="surest first")
    values = opened.values(".shot", "confidence")
    told = [float(value) for value in values if value]
    assert told == sorted(told, reverse=True)


def test_the_keyboard_is_enough(written: Written, opened: Opened) -> None:
    opened.open(written.html)
    keyboard = opened.page.keyboard
    keyboard.press("/")
    keyboard.type("number 4")
    assert opened.shown()[0] == "4"
    keyboard.press("Escape")
    opened.page.focus(".shot:not([hidden])")
    keyboard.press("Enter")
    assert "thing number 4" in opened.page.inner_text("#large")
    assert HOSTILE[4 % len(HOSTILE)][:4] in opened.page.inner_text("#large .raw")
    keyboard.press("ArrowRight")
    assert "thing number 24" in opened.page.inner_text("#large .instruction")
    keyboard.press("ArrowLeft")
    assert opened.page.inner_text("#large .instruction").endswith("thing number 4")
    keyboard.press("Escape")
    assert not opened.page.is_visible("#large")


def test_the_first_keys_find_the_first_failure(written: Written, opened: Opened) -> None:
    opened.open(written.html)
    first, second = opened.shown()[:2]
    focused = "document.activeElement.dataset.number"
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.evaluate(focused) == first
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.evaluate(focused) == second
    opened.open(written.html)
    opened.page.keyboard.press("Enter")
    assert opened.page.inner_text("#large .instruction").endswith(f"thing number {first}")


def test_text_of_models_and_suites_stays_text(written: Written, opened: Opened) -> None:
    opened.open(written.html)
    for index in range(3):
        opened.page.query_selector_all(".shot")[index].click()
        opened.page.keyboard.press("Escape")
    text = opened.page.inner_text("#cards")
    assert "<img src=x onerror='window.hit = 2'>" in text
    assert "{{ 7 * 7 }}" in text
    assert opened.page.query_selector("#cards img, #cards script, #cards b") is None
    assert "nano <i>" in opened.page.inner_text("header")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_can_be_read(written: Written, opened: Opened, theme: str) -> None:
    opened.open(written.html, theme)
    colours = """() => [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]
      .map(colour => colour.match(/[0-9.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765)"""
    ink, paper = opened.page.evaluate(colours)
    assert (ink < 0.3 < 0.8 < paper) if theme == "light" else (paper < 0.3 < 0.8 < ink)
    opened.page.click("#theme")
    turned_ink, turned_paper = opened.page.evaluate(colours)
    assert (turned_ink > turned_paper) == (theme == "light")


def test_a_report_is_the_same_bytes_again(suite_and_report: tuple[Suite, Written], tmp_path: Path) -> None:
    suite, written = suite_and_report
    again = write_report(written.html.parent, suite, out=tmp_path / "again")
    for name in ("report.html", "report.md", "report.json"):
        assert (again.html.parent / name).read_bytes() == (written.html.parent / name).read_bytes()


def rows(count: int, image: Path | None = None) -> list[Row]:
    samples = tuple(sample(number, image) for number in range(count))
    suite = Suite(name="mine", samples=samples, files={})
    predictions = {each.id: prediction(each, number) for number, each in enumerate(samples[: count - 5])}
    return rows_of(suite, predictions, score(suite, predictions))


def test_rare_outcomes_are_among_the_failures_shown() -> None:
    every = rows(400)
    chosen = choose(every, 12)
    assert chosen == sorted(chosen)
    kinds = [every[number].verdict.outcome for number in chosen]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == dict.fromkeys(
        (Outcome.WRONG, Outcome.OFF_SCREEN, Outcome.REFUSED, Outcome.WRONG_FORMAT), 3
    )
    assert choose(every, 10_000) == [number for number, row in enumerate(every) if not row.verdict.correct]
    assert choose(every, 0) == []


def test_a_crop_holds_target_and_point_and_stays_on_the_screenshot() -> None:
    large = Size(3840, 2160)
    for number, row in enumerate(rows(40)):
        moved = replace(row, sample=replace(row.sample, size=large))
        crop = crop_for(moved)
        assert crop.left_px >= 0
        assert crop.top_px >= 0
        assert crop.left_px + crop.width_px <= large.width_px
        assert crop.top_px + crop.height_px <= large.height_px
        box = row.box
        assert box is not None
        assert crop.left_px <= box.left_px
        assert box.right_px <= crop.left_px + crop.width_px, number


def test_a_picture_that_is_gone_or_broken_makes_a_sketch(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for path in (broken, tmp_path / "gone.png"):
        found = list(cards(rows(20, path), 5))
        assert [card.picture for card in found] == [None] * 5
        assert all((card.crop.width_px, card.crop.height_px) == (640, 400) for card in found)


def test_rows_that_were_left_out_are_told_where_they_are_missing(suite_and_report: tuple[Suite, Written]) -> None:
    written = suite_and_report[1]
    folder = written.html.parent
    assert written.report["result"]["accuracy_macro"] is None
    assert written.report["result"]["cells"]
    for name in ("report.html", "report.md"):
        text = (folder / name).read_text()
        assert "2 rows are in none of them" in text
        assert "no cells to average over" not in text
        assert "The 2 skipped rows are in none of" in text


def test_a_full_disk_leaves_the_report_that_was_there(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    one, out = sample(5, None), tmp_path / "out"
    suite = Suite(name="mine", samples=(one,), files={})
    write_report_of(suite, {one.id: prediction(one, 5)}, {}, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(CannotWrite, match=r"report\.json cannot be written \(File too large\): .* make room"):
            write_report_of(suite, {}, {}, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_place_that_is_a_file_is_refused_in_words(tmp_path: Path) -> None:
    one = sample(5, None)
    taken = tmp_path / "file"
    taken.write_text("mine")
    for out in (taken, taken / "below"):
        with pytest.raises(BadRequest, match=r"cannot be written .* name another place"):
            write_report_of(Suite(name="mine", samples=(one,), files={}), {}, {}, out)


def test_published_figures_stand_beside_their_own_suite_alone(written: Written) -> None:
    assert [each["accuracy"] for each in written.report["published"]] == [0.345, 0.528]
    assert [each.accuracy for each in published_for("osworld-g")] == [0.525]
    assert [each.accuracy for each in published_for("screenspot-v2")] == [0.928]
    for other in ("screenspot", "screenspot-pro-cn", "osworld-g-refined", "generated"):
        assert published_for(other) == ()


def test_a_folder_that_is_no_run_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"manifest\.json"):
        suite_of_run(tmp_path, tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"suite": {"name": "generated", "files": {}}}))
    with pytest.raises(BadRequest, match="--data DIR"):
        suite_of_run(tmp_path, None)


def test_predictions_of_another_suite_are_refused(tmp_path: Path) -> None:
    one = sample(1, None)
    with pytest.raises(BadRequest, match="another suite"):
        write_report_of(Suite(name="mine", samples=(one,), files={}), {"x": Prediction(id="x")}, {}, tmp_path)


def test_a_point_farther_off_than_a_number_can_say_is_no_trouble(tmp_path: Path) -> None:
    one = sample(1, None)
    said = Prediction(id=one.id, point=Point(-1.7e308, 1.7e308), confidence=0.5)
    written = write_report_of(Suite(name="mine", samples=(one,), files={}), {one.id: said}, {}, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["result"]["distance_px"]["all"]["max"] is None
    assert "off the screen" in written.html.read_text()


def test_two_runs_on_one_page(opened: Opened, tmp_path: Path) -> None:
    samples = tuple(sample(number, None) for number in range(48))
    suite = Suite(name="mine", samples=samples, files={})
    ours = {each.id: prediction(each, number) for number, each in enumerate(samples)}
    theirs = {each.id: prediction(each, number + 1) for number, each in enumerate(samples)}
    sides = [judged(suite, score(suite, told)) for told in (ours, {k: replace(v, id=k) for k, v in theirs.items()})]
    comparison = compare_verdicts(sides[0], sides[1], ({"zoom": None}, {"zoom": HOSTILE[0]}))
    assert comparison.paired.only_b > 0
    page = tmp_path / "compare.html"
    write_compare(comparison, page, a="nano", b=HOSTILE[1])
    opened.open(page)
    assert "48 samples, each answered by both" in opened.page.inner_text("header")
    assert len(opened.shown()) == comparison.paired.only_a + comparison.paired.only_b
    opened.page.uncheck("#kinds input[value=worse]", force=True)
    assert len(opened.shown()) == comparison.paired.only_b
    assert opened.page.inner_text("#difference") == f"{100 * comparison.paired.difference:+.1f}"
    assert f"p\u00a0= {comparison.paired.p:.3g}" in opened.page.inner_text("main")
    write_compare(comparison, page, unanswered=(0, 3))
    assert "48 samples: 0 have no answer in A, 3 none in B" in page.read_text()


def pictures_of(count: int, folder: Path) -> Sequence[Path]:
    """Noise, which no encoder makes small."""
    rng = np.random.default_rng(2)
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (1080, 1920, 3), dtype=np.uint8)).save(path, compress_level=0)
    return paths


@pytest.mark.slow
def test_a_page_of_1581_samples_stays_under_15_mb(tmp_path: Path) -> None:
    shots = pictures_of(4, tmp_path)
    size = Size(1920, 1080)
    samples = tuple(replace(sample(number, shots[number % 4]), size=size) for number in range(1581))
    long = {
        each.id: replace(prediction(each, number), raw=f"{HOSTILE[0]} " * 2000) for number, each in enumerate(samples)
    }
    written = write_report_of(Suite(name="mine", samples=samples, files={}), long, {}, tmp_path / "out")
    assert written.num_cards == written.num_pictures == 120
    assert written.num_bytes < 15e6


def test_the_scores_of_a_published_log_make_a_page(opened: Opened, tmp_path: Path) -> None:
    """ScreenSpot-Pro's log of OmniParser v2, without pictures: its own scorer calls 625 rows right from unrounded
    points, and 630 rounded ones lie in their targets."""
    folder = os.environ.get(ANNOTATIONS)
    if folder is None:
        pytest.skip(f"{ANNOTATIONS} names no folder with the published annotation files")
    from moonhand.tasks.evals.score_command import reading_of, score_predictions

    log = Path(folder) / "screenspot_pro" / "logs_sspro_omniv2.json"
    scored = score_predictions("screenspot-pro", log, annotations=None, reading=reading_of(None, None, "first"))
    written = write_report_of(scored.suite, scored.file.predictions, {"model": "omniparser"}, tmp_path)
    assert written.num_bytes < 1e6
    opened.open(written.html)
    assert opened.page.inner_text("#accuracy") == "39.8\u00a0%"
    assert "630 right of 1,581" in opened.page.inner_text("main")
    assert len(opened.shown()) == 120
