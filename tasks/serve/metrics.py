"""What a server did, for Prometheus, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from ...model.generation import Generation
from ...model.scheduler import SchedulerCounts

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """One server's. `counts` tells what the scheduler does now."""

    def __init__(self, counts: Callable[[], SchedulerCounts]) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("moonhand_requests", "HTTP requests answered", ("path", "status"), registry=registry)
        self._seconds = Histogram(
            "moonhand_request_seconds", "From a chat request's arrival to its last byte",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._first_s = Histogram(
            "moonhand_time_to_first_token_seconds", "From a chat request's arrival to its first token",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._tokens = {
            name: Counter(f"moonhand_{name}_tokens", f"Tokens of finished replies: {about}", registry=registry)
            for name, about in (
                ("prompt", "of their prompts"),
                ("cached_prompt", "of their prompts, known from an earlier one"),
                ("image", "of their prompts' pictures"),
                ("completion", "of the replies themselves"),
            )
        }
        self._gone = Counter("moonhand_clients_gone", "Requests whose client left before the reply", registry=registry)
        for name, about, read in (
            ("running", "Requests that are answered now", lambda: counts().running),
            ("waiting", "Requests that wait for a row", lambda: counts().waiting),
            ("cache_bytes", "Latents of the rows, when all are full", lambda: counts().cache_bytes),
        ):
            Gauge(f"moonhand_{name}", about, registry=registry).set_function(read)

    def answered(self, path: str, status: int) -> None:
        self._requests.labels(path, str(status)).inc()

    def first_token(self, seconds: float) -> None:
        self._first_s.observe(seconds)

    def finished(self, reply: Generation, seconds: float) -> None:
        self._seconds.observe(seconds)
        self._tokens["prompt"].inc(reply.prompt_tokens)
        self._tokens["cached_prompt"].inc(reply.cached_tokens)
        self._tokens["image"].inc(reply.image_tokens)
        self._tokens["completion"].inc(reply.num_tokens)

    def client_gone(self) -> None:
        self._gone.inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)
