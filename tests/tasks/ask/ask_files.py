"""Real files for the tests of `moonhand ask`: films whose frames carry their number, pages by colour."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from moonhand.model import ImageConfig, KimiVLConfig, Tokenizer, load_config
from moonhand.model.engine import checkpoint_folder
from moonhand.tasks.ask.inputs import Input
from moonhand.tasks.ask.room import Room
from PIL import Image

BITS, CELL_PX = 8, 20
RED, GREEN, BLUE = (220, 30, 30), (30, 160, 60), (30, 60, 200)


def numbered(number: int, height_px: int = 96) -> npt.NDArray[np.uint8]:
    """160 px wide: the number in black and white bars, the lowest bit first."""
    bits = np.array([number >> bit & 1 for bit in range(BITS)], np.uint8) * 255
    return np.broadcast_to(np.repeat(bits, CELL_PX)[None, :, None], (height_px, BITS * CELL_PX, 3)).copy()


def number_on(pixels_HWC: npt.NDArray[np.uint8]) -> int:
    bars = pixels_HWC[pixels_HWC.shape[0] // 2, CELL_PX // 2 :: CELL_PX, 0] > 127
    return int(sum(1 << bit for bit, is_white in enumerate(bars) if is_white))


def write_film(
    path: Path,
    pictures: Sequence[npt.NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    rate: int = 30,
    every: int = 12,
    pts: Sequence[int] | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    container: str | None = None,
) -> Path:
    """`every` is how far key frames lie apart; `pts` in hundredths of a second, for frames that are not even."""
    with av.open(str(path), "w", format=container) as output:
        stream = cast(Any, output.add_stream(codec, rate=rate))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.gop_size = "yuv420p", every
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        if pts is not None:
            stream.codec_context.time_base = Fraction(1, 100)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if pts is not None:
                frame.pts, frame.time_base = pts[number], Fraction(1, 100)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = cast(Any, container.add_stream("pcm_s16le", rate=8000))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_pdf(path: Path, colours: Sequence[tuple[int, int, int]], size_pt: tuple[int, int] = (144, 216)) -> Path:
    """A page a colour, by a writer of a few lines."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(colours)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(colours)} >>")
    for number, colour in enumerate(colours):
        drawn = " ".join(f"{part / 255:.4f}" for part in colour) + f" rg 0 0 {size_pt[0]} {size_pt[1]} re f"
        box = f"/MediaBox [0 0 {size_pt[0]} {size_pt[1]}]"
        objects.append(f"<< /Type /Page /Parent 2 0 R {box} /Contents {4 + 2 * number} 0 R >>")
        objects.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream")
    content = "%PDF-1.4\n"
    places: list[int] = []
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF\n"
    path.write_text(f"{content}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}")
    return path


def write_picture(
    path: Path, colour: tuple[int, ...] = RED, size: tuple[int, int] = (56, 28), mode: str = "RGB"
) -> Path:
    Image.new(mode, size, colour).save(path)
    return path


def pixels(given: Input) -> list[npt.NDArray[np.uint8]]:
    return list(given.read(given.views))


def nano_room(max_new_tokens: int = 100, context: int | None = None) -> Room:
    """Counting for nano, or for one with another context."""
    from dataclasses import replace

    folder = checkpoint_folder("nano")
    config: KimiVLConfig = load_config(folder)
    if context is not None:
        config = replace(config, text=replace(config.text, max_position_embeddings=context))
    assert isinstance(config.image, ImageConfig)
    return Room(
        model="nano",
        config=config,
        tokenizer=Tokenizer.load(folder),
        system=None,
        max_new_tokens=max_new_tokens,
    )


def noise(path: Path, size: tuple[int, int]) -> Path:
    """Of which no part is blank."""
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)).save(
        path, compress_level=0
    )
    return path
