"""HTTP to a server that speaks OpenAI's protocol: time limits, tries again, and errors that say what to do."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import orjson

from .errors import MissingExtra, NoRemote, RemoteRefused, RemoteTimedOut
from .remote_address import RemoteAddress

if TYPE_CHECKING:
    import httpx2

OWN_KEY, OPENAI_KEY = "MOONHAND_API_KEY", "OPENAI_API_KEY"
OPENAI = ("https", "api.openai.com")
TRIED_AGAIN = (408, 409, 429, 500, 502, 503, 504)
QUOTED = 300  # characters at most of what a server says


@dataclass(frozen=True, kw_only=True)
class HttpConfig:
    """How long a server is waited for, and how often it is asked. All times are seconds."""

    connect_s: float = 5.0
    reply_s: float = 600.0  # without a byte of the reply: a long thought comes all at once
    attempts: int = 5  # of one request
    first_wait_s: float = 0.5  # after the first attempt; doubled after each, a tenth more or less
    longest_wait_s: float = 30.0  # between two attempts; a server that asks for more is given up

    def __post_init__(self) -> None:
        if (
            min(self.connect_s, self.reply_s) <= 0
            or min(self.first_wait_s, self.longest_wait_s) < 0
            or self.attempts < 1
        ):
            raise ValueError(f"times must be > 0 and attempts >= 1, got {self}")


class HttpClient:
    """Requests to one server; several threads may send at once.

    The key is that of `key_for`. It goes into the request's header and nowhere else: whatever a server says comes into
    an error through `quoted` alone.
    """

    def __init__(self, address: RemoteAddress, config: HttpConfig) -> None:
        try:
            import httpx2
        except ImportError as error:
            raise MissingExtra("a server is asked through httpx2: pip install 'moonhand[remote]'") from error
        self._address, self._config = address, config
        self._key = key_for(address)
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx2.Timeout(config.reply_s, connect=config.connect_s),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
        )

    def get(self, url: str, *, attempts: int | None = None) -> Any:
        """The JSON at an address. NoRemote."""
        return self._json(self._send("GET", url, None, attempts or self._config.attempts))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that answers. NoRemote."""
        content = orjson.dumps(body)
        return self._json(self._send("POST", self._address.url + path, content, self._config.attempts))

    def events(self, path: str, body: Mapping[str, Any]) -> Iterator[Any]:
        """The JSON of each server-sent event, as it comes. NoRemote; nothing is tried again."""
        import httpx2

        url = self._address.url + path
        try:
            with self._client.stream("POST", url, content=orjson.dumps(body), headers=_JSON) as response:
                if response.status_code >= 400:
                    response.read()
                    raise self._error_of(response)
                for line in response.iter_lines():
                    data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                    if data == "[DONE]":
                        return
                    if data:
                        yield self._parsed(data, url)
        except httpx2.TransportError as error:
            raise self._lost(url, error) from error

    def close(self) -> None:
        self._client.close()

    def _send(self, method: str, url: str, content: bytes | None, attempts: int) -> httpx2.Response:
        import httpx2

        for attempt in range(attempts):
            wait_s = self._config.first_wait_s * 2**attempt * random.uniform(0.9, 1.1)
            try:
                response = self._client.request(method, url, content=content, headers=_JSON if content else None)
            except httpx2.TransportError as error:
                trouble = self._lost(url, error)
                if attempt == attempts - 1 or isinstance(trouble, RemoteTimedOut):
                    raise trouble from error
            else:
                if response.status_code < 400:
                    return response
                trouble = self._error_of(response)
                asked_s = retry_after(response.headers.get("Retry-After"))
                if response.status_code not in TRIED_AGAIN or attempt == attempts - 1:
                    raise trouble
                if asked_s > self._config.longest_wait_s:
                    raise NoRemote(
                        f"{self._address.url} is busy and asks to wait {asked_s:.0f} s, more than the "
                        f"{self._config.longest_wait_s:.0f} s it is waited for: come back later, or ask less at once"
                    ) from trouble
                wait_s = max(wait_s, asked_s)
            time.sleep(min(wait_s, self._config.longest_wait_s))
        raise AssertionError("the last attempt returns or raises")

    def _json(self, response: httpx2.Response) -> Any:
        return self._parsed(response.text, str(response.url))

    def _parsed(self, text: str, url: str) -> Any:
        try:
            return orjson.loads(text)
        except ValueError as error:
            said = self.quoted(text, 80)
            raise NoRemote(f"{url} answers with what is no JSON ({said!r}): is it the address of an API?") from error

    def _lost(self, url: str, error: httpx2.TransportError) -> NoRemote:
        import httpx2

        if isinstance(error, httpx2.ReadTimeout | httpx2.WriteTimeout):
            return RemoteTimedOut(
                f"{url} sent nothing for {self._config.reply_s:g} s: is the server overloaded or stuck?"
            )
        why = self.quoted(str(error) or type(error).__name__)
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return NoRemote(
                f"no server answers at {self._address.url} ({why}): check that it runs, has loaded its model, and that "
                "host and port are right"
            )
        return NoRemote(f"the connection to {self._address.url} was lost ({why}): look at the server's log")

    def _error_of(self, response: httpx2.Response) -> NoRemote:
        status, url = response.status_code, str(response.url)
        said = self.quoted(_message(response.text))
        match status:
            case 401 | 403:
                held = "was refused" if self._key else "is missing"
                text = (
                    f"{url} wants a key, and it {held} ({status}): set {OWN_KEY} "
                    f"({OPENAI_KEY} is sent to {'://'.join(OPENAI)} alone)"
                )
            case 404:
                text = f"{url} is not there (404: {said}): the address of an API mostly ends in /v1"
            case 413:
                text = (
                    f"{url} does not take a request of this size (413): let its proxy take more (nginx: "
                    "client_max_body_size), or send smaller or fewer pictures"
                )
            case _ if status in TRIED_AGAIN:
                return NoRemote(
                    f"{url} gives no reply ({status}: {said}): look at the server's log, or ask less at once"
                )
            case _:
                text = f"{url} refuses the request ({status}): {said}"
        return RemoteRefused(text, status)

    def quoted(self, told: object, most: int = QUOTED) -> str:
        """What a server says, for an error: without the key, should it repeat that, in one line, and only then cut."""
        text = str(told)
        if self._key:  # JSON, and JSON in JSON, may write any character of it as \/ or \u002f
            key = "".join(rf"\\{{0,4}}(?:{re.escape(each)}|u(?i:{ord(each):04x}))" for each in self._key)
            text = re.sub(key, "***", text)
        said = " ".join(text.split())
        return said if len(said) <= most else said[:most] + "..."


_JSON = {"Content-Type": "application/json"}


def key_for(address: RemoteAddress) -> str | None:
    """MOONHAND_API_KEY for any server; OPENAI_API_KEY for OpenAI's own over https alone. NoRemote for one of no use."""
    parts = urlsplit(address.url)
    for name in (OWN_KEY, OPENAI_KEY) if (parts.scheme, parts.hostname) == OPENAI else (OWN_KEY,):
        if key := os.environ.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise NoRemote(f"{name} holds what no key may: put the key alone into it, on one line")
            return key
    return None


def retry_after(header: str | None) -> float:
    """Seconds that a Retry-After header asks for, given as seconds or as a date; 0 where it says nothing."""
    if not header:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _message(text: str) -> str:
    """What an error's body says: OpenAI's form, FastAPI's, or any text."""
    found: object = text
    with suppress(ValueError):
        found = orjson.loads(text)
    for name in ("error", "message", "detail"):
        if isinstance(found, dict):
            found = cast("dict[str, object]", found).get(name, cast("object", found))
    return str(found)
