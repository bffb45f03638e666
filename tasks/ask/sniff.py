"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import codecs
from typing import Literal

from ..errors import BadRequest

Sniffed = Literal["picture", "pdf", "video", "text"]

HEAD_BYTES = 4096
_PDF_WITHIN = 1024  # where readers look for its mark
_PICTURES = (
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xff\xd8\xff"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (8, b"WEBP"),
    (0, b"BM"),
    (0, b"II*\x00"),
    (0, b"MM\x00*"),
    (0, b"\x00\x00\x00\x0cjP  "),
    (0, b"\xff\x4f\xff\x51"),
    (0, b"qoif"),
    (0, b"\x00\x00\x01\x00"),
)
_FILMS = (
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (8, b"AVI "),
    (0, b"FLV\x01"),
    (0, b"\x00\x00\x01\xba"),  # MPEG programme stream
    (0, b"\x00\x00\x01\xb3"),
    (0, b"OggS"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF, WMV
    (4, b"moov"),
    (4, b"mdat"),
    (0, b"ID3"),  # sound: whoever opens it says that it shows nothing
    (0, b"fLaC"),
    (8, b"WAVE"),
)
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_REFUSED = (
    (b"PK\x03\x04", "a ZIP archive (docx, xlsx, pptx and epub are such too): unpack it, or export it as PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Office document: export it as PDF"),
    (b"\x1f\x8b", "compressed with gzip: unpack it"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (b"8BPS", "a Photoshop document: export it as PNG"),
    (b"%!PS", "PostScript: make a PDF of it (ps2pdf)"),
    (b"\x7fELF", "a program"),
)


def sniff(head: bytes, name: str) -> Sniffed:
    """BadRequest for what is nothing that can be shown or read; the message says what it seems to be."""
    if not head:
        raise BadRequest(f"{name} is empty (0 bytes)")
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return "pdf"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _HEIF:
            raise BadRequest(f"{name} is HEIC, which cannot be read here: convert it to JPEG or PNG (heif-convert)")
        return "picture" if brand in (b"avif", b"avis") else "video"
    if _has_mark(head, _PICTURES):
        return "picture"
    if _has_mark(head, _FILMS) or (head[0] == 0x47 and head[188:189] == b"\x47"):  # MPEG transport stream
        return "video"
    for mark, what in _REFUSED:
        if head.startswith(mark):
            raise BadRequest(f"{name} is {what}")
    if is_text(head):
        return "text"
    if head[:2] in (b"P4", b"P5", b"P6") and head[2:3].isspace():  # PBM, PGM, PPM; a text may begin so too
        return "picture"
    raise BadRequest(
        f"{name} is of no kind that is known here, by its first bytes ({head[:8].hex(' ')}): give a picture (PNG, "
        "JPEG, GIF, WebP, BMP, TIFF, AVIF), a PDF, a video or a text in UTF-8"
    )


def is_text(head: bytes) -> bool:
    """Whether this may be the beginning of a text: UTF-16 with its mark, or UTF-8 without control characters."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a character may be cut at the end
    except UnicodeDecodeError:
        return False
    return not set(head) & (set(range(32)) - set(b"\t\n\r\f\x1b\b"))


def _has_mark(head: bytes, marks: tuple[tuple[int, bytes], ...]) -> bool:
    return any(head[at : at + len(mark)] == mark for at, mark in marks)
