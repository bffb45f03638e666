"""Files as inputs: told apart by content, shown as they look, refused with one sentence."""

from __future__ import annotations

import io
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ask_files import BLUE, GREEN, RED, numbered, pixels, write_film, write_pdf, write_picture, write_sound
from moonhand.envs import EnvError
from moonhand.tasks.ask.files import Reading, open_inputs
from moonhand.tasks.ask.inputs import parts_of
from moonhand.tasks.ask.page_ranges import as_ranges, pages_of
from moonhand.tasks.errors import BadRequest
from PIL import Image

LOCKED = (  # a page, encrypted with RC4 of 40 bits under the password "sesame"
    b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    b"2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n"
    b"3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>\nendobj\n"
    b"4 0 obj\n<< /Filter /Standard /V 1 "
    b"/R 2 /P -4 /O <" + b"ab" * 32 + b"> /U <" + b"cd" * 32 + b"> >>\nendobj\ntrailer\n<< /Size 5 /Root 1 0 R "
    b"/Encrypt 4 0 R /ID [<00><00>] >>\n%%EOF\n"
)


def colour_of(pixels_HWC: np.ndarray) -> tuple[int, ...]:
    return tuple(pixels_HWC[pixels_HWC.shape[0] // 2, pixels_HWC.shape[1] // 2].tolist())


def open_one(path: Path | str, **how: object):
    (given,) = open_inputs([str(path)], Reading(**how))  # pyright: ignore[reportArgumentType]
    return given


def cut(path: Path, share: float = 0.5) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def bomb(path: Path) -> Path:
    """A PNG of 3.6 thousand million pixels, by its header alone."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    return path


def noisy(path: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)).save(path)
    return path


BAD: dict[str, tuple[Callable[[Path], Path | str], str]] = {
    "missing": (lambda folder: folder / "no.png", r"there is no file .*no\.png$"),
    "folder": (lambda folder: folder, r"is a folder: name the files in it, such as .*/\*\.png$"),
    "empty": (lambda folder: written(folder / "a.png", b""), r"a\.png is empty \(0 bytes\)$"),
    "cut PNG": (lambda folder: cut(noisy(folder / "a.png")), r"a\.png cannot be read as a picture: "),
    "cut JPEG": (lambda folder: cut(noisy(folder / "a.jpg")), r"a\.jpg cannot be read as a picture: "),
    "damaged GIF": (lambda folder: written(folder / "a.gif", b"GIF89a\x01"), "a.gif "),
    "bomb": (lambda folder: bomb(folder / "a.png"), r"is 12000x12000 px, 144 million: at most 89 million are read"),
    "unknown": (
        lambda folder: written(folder / "a.png", bytes(range(200, 256))),
        r"of no kind .*\(c8 c9 .* text in UTF",
    ),
    "zip": (lambda folder: zipped(folder / "a.docx"), "a ZIP archive .* export it as PDF"),
    "HEIC": (lambda folder: written(folder / "a.heic", b"\0\0\0\x18ftypheic" + bytes(99)), "HEIC, .* convert it"),
    "locked PDF": (lambda folder: written(folder / "a.pdf", LOCKED), "asks for a password: write a copy without one"),
    "cut PDF": (lambda folder: written(folder / "a.pdf", b"%PDF-1.7\nnothing"), "damaged or cut off"),
    "no such page": (
        lambda folder: f"{write_pdf(folder / 'a.pdf', [RED] * 3)}:2-5",
        "has 3 pages: there is no page 5$",
    ),
    "pages of a picture": (lambda folder: f"{write_picture(folder / 'a.png')}:2", r"a\.png is no PDF: only of a PDF"),
    "sound": (lambda folder: write_sound(folder / "a.wav"), "no video stream: it holds sound alone"),
    "cut film": (
        lambda folder: cut(write_film(folder / "a.mp4", [numbered(n) for n in range(9)])),
        "damaged or cut off",
    ),
    "half a text": (
        lambda folder: written(folder / "a.txt", b"a" * 5000 + b"\xff\xff"),
        "byte 5000 is 0xff; convert it",
    ),
    "control": (lambda folder: written(folder / "a.txt", b"a" * 5000 + b"\0\0"), "control characters further on"),
    "blank": (lambda folder: written(folder / "a.txt", b" \n\n"), "blank space alone"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_shown_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    make, said = BAD[name]
    path = make(tmp_path)
    with pytest.raises(BadRequest, match=said) as refused:
        pixels(open_one(path))
    assert "\n" not in str(refused.value)


def test_too_many_files_are_refused_before_any_is_opened() -> None:
    with pytest.raises(BadRequest, match=r"^300 files are too many: at most 256"):
        open_inputs(["nowhere.png"] * 300, Reading())


def test_too_many_pages_and_pictures_are_refused_together(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [RED] * 200)
    with pytest.raises(BadRequest, match=r"with .*a\.pdf:1-60 these are 260 pictures, pages and frames"):
        open_inputs([str(path), f"{path}:1-60"], Reading())


def test_content_counts_and_no_name(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_bytes(picture.read_bytes())
    (tmp_path / "shot.png").write_text("no picture at all")
    kinds = [each.kind for each in open_inputs([str(tmp_path / name) for name in ("notes.txt", "shot.png")], Reading())]
    assert kinds == ["picture", "text"]


def test_a_photo_is_turned_upright(tmp_path: Path) -> None:
    photo = Image.new("RGB", (40, 20), GREEN)
    photo.paste(RED, (0, 0, 10, 20))  # on the left, which is up
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.jpg", "a.png", "a.tiff"):
        photo.save(tmp_path / name, exif=exif)
        given = open_one(tmp_path / name)
        (shown,) = pixels(given)
        assert (given.views[0].width_px, given.views[0].height_px) == (20, 40)
        assert shown.shape == (40, 20, 3)
        np.testing.assert_allclose(shown[3, 10], RED, atol=12)
        np.testing.assert_allclose(shown[36, 10], GREEN, atol=12)


def test_transparency_lies_on_white_and_that_is_said(tmp_path: Path) -> None:
    given = open_one(write_picture(tmp_path / "a.png", (0, 0, 0, 0), mode="RGBA"))
    assert colour_of(pixels(given)[0]) == (255, 255, 255)
    assert given.notes == ("transparent, laid on white",)
    assert open_one(write_picture(tmp_path / "b.png")).notes == ()


def test_sixteen_bits_and_cmyk_keep_their_colours(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0x8040, np.uint16)).save(tmp_path / "deep.png")
    assert colour_of(pixels(open_one(tmp_path / "deep.png"))[0]) == (128, 128, 128)
    Image.new("RGB", (32, 32), RED).convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    np.testing.assert_allclose(colour_of(pixels(open_one(tmp_path / "print.jpg"))[0]), RED, atol=6)


def test_pages_come_in_the_order_asked_for_and_at_the_dpi(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [RED, GREEN, BLUE])
    given = open_one(f"{path}:3,1-2", dpi=100.0)
    assert [view.page for view in given.views] == [3, 1, 2]
    assert [colour_of(each) for each in pixels(given)] == [BLUE, RED, GREEN]
    assert {each.shape for each in pixels(given)} == {(300, 200, 3)}
    assert [view.page for view in open_one(path, pages="2-").views] == [2, 3]


def test_a_page_as_large_as_a_wall_is_refused_with_the_dpi_that_would_do(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "plan.pdf", [RED], size_pt=(14400, 14400))
    with pytest.raises(BadRequest, match=r"200x200 inches, 28800x28800 px at 144 dpi: give --dpi 47 or less"):
        open_one(path)
    open_one(path, dpi=47.0)


@pytest.mark.parametrize(("package", "extra"), [("av", "video"), ("pypdfium2", "pdf")])
def test_what_is_not_installed_is_named_with_its_extra(
    package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {
        "video": lambda: write_film(tmp_path / "a", [numbered(0)], container="mp4"),
        "pdf": lambda: write_pdf(tmp_path / "a", [RED]),
    }
    path = made[extra]()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EnvError, match=rf"pip install 'moonhand\[{extra}\]'"):
        open_one(path)


def test_ranges_of_pages_are_read_and_written() -> None:
    assert pages_of("2,4-6,9-", 10, "a") == [2, 4, 5, 6, 9, 10]
    assert as_ranges([2, 4, 5, 6, 9, 10]) == "2,4-6,9-10"
    for text, said in (("0", "no page 0"), ("5-4", "write 4-5"), ("1,1", "page 1 twice"), ("x", "names no pages")):
        with pytest.raises(BadRequest, match=said):
            pages_of(text, 10, "a")


def test_a_file_that_is_called_like_pages_is_that_file(tmp_path: Path) -> None:
    given = open_one(write_picture(tmp_path / "a.png").rename(tmp_path / "shot:12"))
    assert (given.kind, given.name) == ("picture", "shot:12")


def test_stdin_and_pipes_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content, kind in (
        (b"\xef\xbb\xbfNotes\r\n", "text"),
        (write_picture(tmp_path / "a.png").read_bytes(), "picture"),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        given = open_one("-")
        assert (given.kind, given.name) == (kind, "stdin")
        assert kind != "text" or given.text == "Notes\n"
    ends = os.pipe()
    os.write(ends[1], "two\nlines".encode("utf-16"))
    os.close(ends[1])
    assert open_one(f"/dev/fd/{ends[0]}").text == "two\nlines"
    os.close(ends[0])


def test_the_prompt_names_pages_and_texts_and_leaves_pictures_alone(tmp_path: Path) -> None:
    first, second = write_picture(tmp_path / "a.png"), write_picture(tmp_path / "b.png")
    pictures = open_inputs([str(first), str(second)], Reading())
    assert parts_of(pictures) == [pictures[0].views[0], pictures[1].views[0]]
    pdf = write_pdf(tmp_path / "r.pdf", [RED, GREEN])
    (tmp_path / "n.txt").write_text("one\n")
    mixed = open_inputs([str(first), f"{pdf}:2", str(tmp_path / "n.txt")], Reading())
    assert parts_of(mixed) == ["a.png:", mixed[0].views[0], "r.pdf, page 2:", mixed[1].views[0], "n.txt:\none\n\n"]
