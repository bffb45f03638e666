"""What a server allows, and under which names it answers."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Limits are checked before the work that they limit; 0 is never "without a limit".

    `names` are the model names that requests may give; none: the engine's own alone.
    """

    names: tuple[str, ...] = ()
    api_key: str | None = None
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")  # Host headers taken where there is no key
    max_body_bytes: int = 32 * MIB
    max_held_bytes: int = 2048 * MIB  # of all bodies and decoded pictures together
    max_pictures: int = 16  # of one request
    max_pixels: int = 40_000_000  # of one request's pictures together; a 4K screenshot has 8.3 million
    max_depth: int = 64  # of nested JSON
    max_values: int = 200_000  # of JSON in one body
    max_messages: int = 1000
    max_grammar_bytes: int = 64 * 1024
    grammar_cpu_s: float = 1.0  # for a first look at a grammar, in a process of its own
    max_top_logprobs: int = 20  # alternatives to a token, as OpenAI has it
    default_max_tokens: int = 1024  # of a reply to a request that gives no number
    body_s: float = 30.0  # for a body to arrive
    timeout_s: float = 300.0  # for the whole reply
    grace_s: float = 10.0  # for replies on their way when the server is stopped

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, int | float) and not value > 0:
                raise ValueError(f"{name} must be > 0, got {value}")
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable() and self.api_key):
            raise ValueError("the key must be one line of ASCII characters")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
