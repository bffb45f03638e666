"""`openai:URL#NAME`: where a server is, and which of its models is meant."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import NoRemote

SCHEME = "openai:"
EXAMPLE = "openai:http://localhost:8000/v1#moonshotai/Kimi-VL-A3B-Instruct"


@dataclass(frozen=True)
class RemoteAddress:
    """`url` is that of the API, such as `http://localhost:8000/v1`; `model` None: the only one that is served."""

    url: str
    model: str | None = None

    @classmethod
    def parse(cls, name: str) -> RemoteAddress:
        """Of a `--model` flag; without a path the URL gets /v1. NoRemote for what is none, and for one with a secret.

        An address stands in manifests and trajectories, so it may hold no key: those come from the environment.
        """
        text, _, model = name.removeprefix(SCHEME).partition("#")
        try:
            parts = urlsplit(text.strip())
            is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_whole, parts = False, None
        if parts is not None and (parts.username or parts.password or parts.query):
            raise NoRemote(
                "the address of a server holds no user, password or query: give its key in MOONHAND_API_KEY, and "
                f"--model as {EXAMPLE}"
            )
        if parts is None or not is_whole:
            raise NoRemote(f"{text!r} is no address of a server: give --model as {EXAMPLE}")
        return cls(f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}", model.strip() or None)

    @property
    def root(self) -> str:
        """The server's own address, where vLLM and SGLang tell about themselves."""
        return self.url.removesuffix("/v1")


def is_remote(name: object) -> bool:
    """Whether a `--model` flag names a server."""
    return isinstance(name, str) and name.startswith(SCHEME)
