"""Frames of a video, right to the frame, through PyAV: times from the packets, pixels of the chosen frames alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import BadRequest
from .inputs import Input, MissingExtra, Pixels, View
from .picture_files import check_area, resized
from .sampling_times import DEFAULT_FRAMES, Sampling, sampled

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

THUMBNAIL_PX = (32, 18)  # in which scenes are told apart
CUT = 0.08  # mean difference of two thumbnails, of 1, from which on a frame begins a scene
SUDDEN = 3.0  # and how many times that of the frame before: a pan is no cut


@dataclass(frozen=True)
class _Clock:
    """When frames are shown, in the stream's units, in order; and those at which decoding can begin."""

    unit_s: Fraction
    pts: list[int]
    keys: list[int]
    end: int

    def at_s(self, pts: int) -> Fraction:
        return (pts - self.pts[0]) * self.unit_s


def open_video(source: Path | bytes, path: str, name: str, sampling: Sampling) -> Input:
    """BadRequest for a file that is damaged or shows nothing, and for more frames than may be shown."""
    with _opened(source, name) as (container, stream):
        clock = _clock(container, stream)
    if not clock.pts:
        raise BadRequest(f"{name} has a video stream without frames: it is damaged or cut off")
    with _opened(source, name) as (container, stream):
        size = _size(next(_decoded(container, stream)), stream)
    check_area(*size, f"a frame of {name}")
    times = [clock.at_s(pts) for pts in clock.pts]
    if sampling.at_scenes:
        chosen = _scenes(source, name, clock, sampling.frames or DEFAULT_FRAMES)
    else:
        chosen = sampled(times, clock.at_s(clock.end), sampling, name)
    pts_of = dict(zip(times, clock.pts, strict=True))

    def read(views: Sequence[View]) -> list[Pixels]:
        wanted = [pts_of[view.at_s or Fraction(0)] for view in views]
        with _opened(source, name) as (container, stream):
            found = _frames_at(container, stream, wanted, clock)
            pixels = [
                resized(_upright(frame), view) for frame, view in zip(found, views, strict=False) if frame is not None
            ]
        if len(pixels) < len(views):
            raise BadRequest(f"{name} cannot be decoded up to {views[len(pixels)].timestamp}: it is damaged or cut off")
        return pixels

    views = tuple(View(width_px=size[0], height_px=size[1], at_s=times[index]) for index in chosen)
    return Input(path=path, name=name, kind="video", views=views, total=len(times), read=read)


def _clock(container: InputContainer, stream: VideoStream) -> _Clock:
    """Without decoding where packets tell their times, as all but a few old formats do."""
    unit_s = stream.time_base or Fraction(1, 1000)
    shown = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
    if shown and all(packet.pts is not None for packet in shown):
        pts = sorted({cast(int, packet.pts) for packet in shown})
        keys = sorted(cast(int, packet.pts) for packet in shown if packet.is_keyframe)
        end = max(cast(int, packet.pts) + (packet.duration or 0) for packet in shown)
    else:
        container.seek(0)
        pts = [frame.pts for frame in _decoded(container, stream) if frame.pts is not None]
        keys, end = pts[:1], pts[-1] if pts else 0
    if pts and end <= pts[-1]:  # nobody says how long the last one is shown: as long as the others
        end = pts[-1] + max(1, (pts[-1] - pts[0]) // max(1, len(pts) - 1))
    return _Clock(unit_s, pts, keys, end)


def _frames_at(
    container: InputContainer, stream: VideoStream, wanted: Sequence[int], clock: _Clock
) -> Iterator[VideoFrame | None]:
    """The frames of these times, in order; None, and no more, where one is not there.

    From one to the next it jumps where a key frame lies between.
    """
    decoded, reached = _decoded(container, stream), clock.keys[0] if clock.keys else clock.pts[0]
    for target in wanted:
        key = clock.keys[max(0, bisect_right(clock.keys, target) - 1)] if clock.keys else reached
        if key > reached:
            container.seek(key, stream=stream)
            decoded = _decoded(container, stream)
        frame = _until(decoded, target)
        if frame is None or frame.pts != target:  # the jump went too far: from the beginning, then
            container.seek(min([clock.pts[0], *clock.keys[:1]]), stream=stream)
            decoded = _decoded(container, stream)
            frame = _until(decoded, target)
        if frame is None or frame.pts != target:
            yield None
            return
        reached = target
        yield frame


def _until(decoded: Iterator[VideoFrame], target: int) -> VideoFrame | None:
    return next((frame for frame in decoded if frame.pts is not None and frame.pts >= target), None)


def _scenes(source: Path | bytes, name: str, clock: _Clock, most: int) -> list[int]:
    """The first frame, and where what is seen changes at once; of more than `most` those where it changes most."""
    number_of = {pts: number for number, pts in enumerate(clock.pts)}
    changes: list[tuple[float, int]] = []
    last_HWC: npt.NDArray[np.floating[Any]] | None = None
    last_change = 0.0
    with _opened(source, name) as (container, stream):
        for frame in _decoded(container, stream):
            small = frame.reformat(width=THUMBNAIL_PX[0], height=THUMBNAIL_PX[1], format="rgb24").to_ndarray()
            thumbnail_HWC = small / np.float32(255)
            if last_HWC is not None and frame.pts in number_of:
                change = float(np.abs(thumbnail_HWC - last_HWC).mean())
                if change >= CUT and change >= SUDDEN * last_change:
                    changes.append((change, number_of[frame.pts]))
                last_change = change
            last_HWC = thumbnail_HWC
    strongest = sorted(changes, reverse=True)[: most - 1]
    return sorted([0, *(number for _, number in strongest)])


def _size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height as it is to be seen: upright, with square pixels."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    width_px = round(frame.width * aspect) if aspect and aspect > 0 else frame.width
    sideways = round(frame.rotation / 90) % 2
    return (frame.height, width_px) if sideways else (width_px, frame.height)


def _upright(frame: VideoFrame) -> Image.Image:
    pixels_HWC = frame.to_ndarray(format="rgb24")
    return Image.fromarray(np.ascontiguousarray(np.rot90(pixels_HWC, round(frame.rotation / 90) % 4)))


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    return container.decode(stream)


@contextmanager
def _opened(source: Path | bytes, name: str) -> Generator[tuple[InputContainer, VideoStream]]:
    """Whatever goes wrong with it while it is open is a BadRequest."""
    try:
        import av
        from av.error import FFmpegError
        from av.stream import Disposition
    except ImportError as error:
        raise MissingExtra("frames of a video are read by PyAV: pip install 'moonhand[video]'") from error
    try:
        with av.open(
            BytesIO(source) if isinstance(source, bytes) else str(source), "r", metadata_errors="replace"
        ) as container:
            moving = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
            if not moving:
                raise BadRequest(f"{name} has no video stream: it holds sound alone, which the model does not hear")
            moving[0].thread_type = "AUTO"
            yield container, moving[0]
    except (FFmpegError, StopIteration) as error:
        said = getattr(error, "strerror", None) or "it has no frame"
        raise BadRequest(f"{name} cannot be read as a video, it is damaged or cut off: {said}") from error
