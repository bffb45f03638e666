"""Messages and sampling as the fields of a chat completion request."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from .chat import THINK_CLOSE, THINK_OPEN
from .errors import BadGrammar, BadImage
from .grammar import Grammar

if TYPE_CHECKING:
    from .chat import Message, Picture
    from .sampling import SamplingConfig

KEPT_PICTURES = 4  # one screenshot is asked about several times in a row


class DataUris:
    """Pictures as PNG in data URIs: every pixel as it is, unscaled. The last few are kept; threads may share it."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[bytes, tuple[int, ...]], str] = OrderedDict()
        self._guard = Lock()

    def uri(self, picture: Picture) -> str:
        """BadImage for a picture that is larger than a server is sent."""
        pixels_HW3 = np.ascontiguousarray(picture.pixels_HW3)
        key = (hashlib.sha256(pixels_HW3.data).digest(), pixels_HW3.shape)
        with self._guard:
            found = self._kept.get(key)
        if found is not None:
            return found
        png = io.BytesIO()
        Image.fromarray(pixels_HW3).save(png, "PNG", compress_level=3)
        size = png.getbuffer().nbytes
        if size > self._max_bytes:
            raise BadImage(
                f"the {pixels_HW3.shape[1]}x{pixels_HW3.shape[0]} px picture is {size / 1e6:.1f} MB as PNG, more than "
                f"the {self._max_bytes / 1e6:.1f} MB that a server is sent: show a part of the screen (--region, "
                "--window, --viewport), or allow more (RemoteConfig.max_image_bytes)"
            )
        uri = "data:image/png;base64," + base64.b64encode(png.getbuffer()).decode("ascii")
        with self._guard:
            self._kept[key] = uri
            while len(self._kept) > KEPT_PICTURES:
                self._kept.popitem(last=False)
        return uri


def message_fields(messages: Sequence[Message], uris: DataUris) -> dict[str, Any]:
    """`messages`, and where the last is open the fields by which vLLM and SGLang continue it."""
    fields: dict[str, Any] = {"messages": [_message(message, uris) for message in messages]}
    if messages and messages[-1].open:
        fields |= {"add_generation_prompt": False, "continue_final_message": True}
    return fields


def sampling_fields(sampling: SamplingConfig) -> dict[str, Any]:
    """Temperature, top-p, seed, length and stop texts; the grammar and log-probabilities differ by server."""
    fields: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_new_tokens,
        "seed": sampling.seed,
    }
    return fields | ({"stop": list(sampling.stop)} if sampling.stop else {})


def after_thought(grammar: Grammar) -> Grammar:
    """The grammar with a thought in its marks allowed before the answer: a server's holds from the first token on.

    BadGrammar for one that is no Lark, or whose rule `start` is more than its beginning.
    """
    unquoted = re.sub(r'"(?:[^"\\\n]|\\.)*"', "", grammar.text)
    if grammar.kind != "lark" or len(re.findall(r"\bstart\b", unquoted)) != 1:
        raise BadGrammar("a server can only be told of a thought before a Lark grammar whose start no other rule uses")
    answer = re.sub(r"(?m)^start(?=\s*:)", "answer_after_thought", grammar.text, count=1)
    return Grammar(
        f"start: thought_before? answer_after_thought\n"
        f'thought_before: "{THINK_OPEN}" thought_text THOUGHT_GAP?\n'
        f'thought_text[suffix="{THINK_CLOSE}"]: /(?s:.*)/\n'
        f"THOUGHT_GAP: /[ \\n]+/\n{answer}\n"
    )


def _message(message: Message, uris: DataUris) -> dict[str, Any]:
    if not message.pictures:
        return {"role": message.role, "content": "".join(part for part in message.content if isinstance(part, str))}
    parts = [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": uris.uri(part)}}
        for part in message.content
    ]
    return {"role": message.role, "content": parts}
