"""`moonhand serve`: the flags, and what is said while it runs."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import (
    STOPPED,
    DeviceFlag,
    DtypeFlag,
    JsonFlag,
    ModelChoice,
    ModelFlag,
    QuantizeFlag,
    people,
    plain_errors,
    print_json,
)
from ..errors import BadRequest
from .config import MIB, ServeConfig, is_loopback

if TYPE_CHECKING:
    import socket

PACKAGES = ("fastapi", "uvicorn", "prometheus_client")


def serve(
    model: ModelFlag = "nano",
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; any but this machine's needs a key.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 is any that is free.")] = 8000,
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", envvar="MOONHAND_API_KEY", show_envvar=True, help="What clients must send."),
    ] = None,
    names: Annotated[
        list[str] | None, typer.Option("--served-name", help="Another name of the model; may be given again.")
    ] = None,
    max_running: Annotated[int, typer.Option("--max-running", min=1, help="Replies made together.")] = 8,
    max_waiting: Annotated[
        int, typer.Option("--max-waiting", min=0, help="Requests that may wait; more get 429.")
    ] = 64,
    context_tokens: Annotated[
        int | None, typer.Option("--context-tokens", min=2, help="Of a prompt and its reply. (default: 8192 at most)")
    ] = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout-s", min=0.1, help="For a whole reply, waiting included; then 504.")
    ] = ServeConfig.timeout_s,
    grace_s: Annotated[
        float, typer.Option("--grace-s", min=0.1, help="For replies on their way, when it is stopped.")
    ] = ServeConfig.grace_s,
    max_body_mb: Annotated[
        float, typer.Option("--max-body-mb", min=0.001, help="Size of a request, in MiB.")
    ] = ServeConfig.max_body_bytes / MIB,
    max_pictures: Annotated[
        int, typer.Option("--max-pictures", min=1, help="Pictures in a request.")
    ] = ServeConfig.max_pictures,
    max_megapixels: Annotated[
        float, typer.Option("--max-megapixels", min=0.001, help="Pixels of a request's pictures together.")
    ] = ServeConfig.max_pixels / 1e6,
    max_logprobs: Annotated[
        int, typer.Option("--max-logprobs", min=1, help="The largest top_logprobs.")
    ] = ServeConfig.max_top_logprobs,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line of log for each request.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Serve a model to OpenAI's clients: screenshots in, replies out, many at a time."""
    with plain_errors(as_json):
        if not is_loopback(host) and not api_key:
            raise BadRequest(
                f"{host} can be reached from other machines: set a key in MOONHAND_API_KEY (or --api-key), or leave "
                "--host out to listen on this machine alone"
            )
        try:
            config = ServeConfig(
                names=tuple(names or ()),
                api_key=api_key or None,
                hosts=tuple(dict.fromkeys((*ServeConfig.hosts, host.lower()))),
                max_body_bytes=round(max_body_mb * MIB),
                max_pictures=max_pictures,
                max_pixels=round(max_megapixels * 1e6),
                max_top_logprobs=max_logprobs,
                timeout_s=timeout_s,
                grace_s=grace_s,
            )
        except ValueError as error:
            raise BadRequest(str(error)) from error
        choice = ModelChoice(model, device, dtype, quantize)
        bound = _bound(choice, host, port)
        with bound:
            _run(choice, bound, config, (max_running, max_waiting, context_tokens), quiet=quiet, as_json=as_json)


def _bound(choice: ModelChoice, host: str, port: int) -> socket.socket:
    """The socket, before anything that takes time: what is missing or taken is said at once."""
    from ...envs import EnvError
    from ...model.remote_address import is_remote

    if is_remote(choice.name):
        raise BadRequest(f"{choice.name} is served already: give nano, or the folder of a checkpoint")
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise EnvError(f"a server needs {' and '.join(missing)}: pip install 'moonhand[serve]'")
    from .running import listen

    try:
        return listen(host, port)
    except OSError as error:
        why = error.strerror or error
        raise EnvError(f"{host}:{port} cannot be listened on ({why}): choose another --port, or 0 for any") from error


def _run(
    choice: ModelChoice,
    bound: socket.socket,
    config: ServeConfig,
    sizes: tuple[int, int, int | None],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    from ...model.scheduler import Scheduler, SchedulerConfig
    from .app import make_app
    from .running import Server, url_of

    max_running, max_waiting, context_tokens = sizes
    engine = choice.load()
    url = url_of(bound)
    try:
        scheduler = Scheduler(
            engine,
            SchedulerConfig(max_running=max_running, max_waiting=max_waiting, context_tokens=context_tokens),
        )
    except ValueError as error:
        raise BadRequest(str(error)) from error

    def ready() -> None:
        if as_json:
            print_json({"url": url, "model": engine.name, "names": [*config.names, engine.name],
                        "key": config.api_key is not None})  # fmt: skip
            sys.stdout.flush()
        _greet(url, engine.name, str(engine.device), has_key=config.api_key is not None)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of every client that left amid a stream
    server = Server(make_app(scheduler, config, None if quiet else say), ready=ready)
    with scheduler:
        try:
            server.run(sockets=[bound])
        except KeyboardInterrupt:
            if not server.started:
                raise
            people().print("stopped")  # programs have had their object
            raise typer.Exit(STOPPED) from None


def _greet(url: str, name: str, device: str, *, has_key: bool) -> None:
    key = ' -H "Authorization: Bearer $MOONHAND_API_KEY"' if has_key else ""
    console = people()
    console.print(f"[bold]{name}[/bold] on {device} answers at [bold]{url}[/bold]  (Ctrl-C stops it)", highlight=False)
    asked = '{"model": "' + name + '", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 32}'
    lines = f"try:  curl {url}/chat/completions{key} -H 'Content-Type: application/json' \\\n        -d '{asked}'"
    console.print(lines, highlight=False, markup=False, soft_wrap=True)
