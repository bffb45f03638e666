"""`moonhand mcp`."""

from __future__ import annotations

import re
import signal
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...envs import MissingTool
from ..console import (
    DeviceFlag,
    DtypeFlag,
    ModelChoice,
    ModelFlag,
    ProfileFlag,
    QuantizeFlag,
    people,
    plain_errors,
    somebody_at_stdin,
    why_not_writable,
)
from ..errors import BadRequest
from ..screen_flags import (
    SAFETY,
    AllowFlag,
    AttachFlag,
    ChromiumFlag,
    DenyFlag,
    DesktopFlag,
    DialogsFlag,
    DownloadsFlag,
    GrantFlag,
    HttpAuthFlag,
    MonitorFlag,
    RegionFlag,
    ScaleFlag,
    StartFlag,
    StorageStateFlag,
    SurfaceFlag,
    UrlFlag,
    UserDataFlag,
    ViewportFlag,
    VirtualFlag,
    WindowFlag,
    size_of,
    viewport_of,
)

if TYPE_CHECKING:
    from .screen import KeptScreen

HTTP = "Streamable HTTP"
INSTALL = "the MCP SDK is not installed: pip install 'moonhand[mcp]'"
FILES = "file:///"

RunsFlag = Annotated[
    Path, typer.Option("--runs", metavar="DIR", help="Where runs are kept, and replay finds them; made when needed.")
]
McpApproveFlag = Annotated[
    Literal["never", "sensitive", "always"],
    typer.Option(
        "--approve",
        help="Ask the person at the client before an action: sensitive ones submit, type secrets, download, upload, "
        "leave the site, press shell-like keys. A client that cannot ask is refused them.",
        rich_help_panel=SAFETY,
    ),
]
PortFlag = Annotated[
    int | None,
    typer.Option(
        "--http", metavar="PORT", min=0, max=65535, help="Serve HTTP here; 0: a free port.", rich_help_panel=HTTP
    ),
]
HostFlag = Annotated[
    str,
    typer.Option(
        "--host", help="With --http: the address to listen on; any but loopback needs a key.", rich_help_panel=HTTP
    ),
]
KeyFlag = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="MOONHAND_MCP_KEY",
        show_envvar=True,
        help="With --http: what clients bear, as Authorization: Bearer KEY.",
        rich_help_panel=HTTP,
    ),
]


def mcp(
    url: UrlFlag = None,
    surface: SurfaceFlag = "headless",
    viewport: ViewportFlag = None,
    scale: ScaleFlag = 1.0,
    chromium: ChromiumFlag = None,
    attach: AttachFlag = None,
    user_data: UserDataFlag = None,
    storage_state: StorageStateFlag = None,
    grant: GrantFlag = None,
    http_auth: HttpAuthFlag = None,
    downloads: DownloadsFlag = None,
    dialogs: DialogsFlag = "dismiss",
    desktop: DesktopFlag = False,
    monitor: MonitorFlag = "1",
    region: RegionFlag = None,
    window: WindowFlag = None,
    virtual: VirtualFlag = None,
    start: StartFlag = None,
    allow: AllowFlag = None,
    deny: DenyFlag = None,
    approve: McpApproveFlag = "sensitive",
    model: ModelFlag = "nano",
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    profile: ProfileFlag = None,
    runs: RunsFlag = Path("runs"),
    http: PortFlag = None,
    host: HostFlag = "127.0.0.1",
    api_key: KeyFlag = None,
) -> None:
    """Give assistants a screen: a server of the Model Context Protocol on stdio, or over HTTP.

    One screen, opened at the first call and kept; calls are done one after the other. Everything ends with the client.
    """
    from ...agent import find_profile
    from ..open_screen import ScreenChoice

    with plain_errors():
        if find_spec("mcp") is None:
            raise MissingTool(INSTALL)
        _check_runs(runs)
        allowed, denied = rules_of(url, allow or [], deny or [])
        choice = ScreenChoice(
            url=url,
            desktop=desktop,
            virtual=None if virtual is None else size_of(virtual, "--virtual"),
            start=start,
            monitor=monitor,
            region=region,
            window=window,
            viewport=viewport_of(viewport, None, model),
            scale=scale,
            surface=surface,
            chromium=chromium,
            attach=attach,
            user_data=user_data,
            storage_state=storage_state,
            allow=allowed,
            deny=denied,
            grant=tuple(grant or ()),
            http_auth=http_auth,
            downloads=downloads or runs / "downloads",
            dialogs=dialogs,
        )
        found = None if profile is None else find_profile(profile)
        from .screen import KeptScreen

        kept = KeptScreen(choice, ModelChoice(model, device, dtype, quantize), found, runs, approve)
        _serve(kept, http, host, api_key)


def rules_of(url: str | None, allow: list[str], deny: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The allow- and the deny-list. A page must not show this machine's files: they are denied unless --allow names
    some, and a --url that is one of them, alone, allows what lies in its folder.
    """
    if any(one.lower().startswith(FILES) for one in allow):
        return tuple(allow), tuple(deny)
    if not allow and url is not None and url.lower().startswith(FILES):
        return (re.split(r"[?#]", url, maxsplit=1)[0].rpartition("/")[0] + "/",), tuple(deny)
    return tuple(allow), (*deny, FILES)


def _check_runs(runs: Path) -> None:
    """BadRequest where the folder cannot be written to: clients start servers in folders of their own choosing."""
    there = next(path for path in (runs, *runs.absolute().parents) if path.exists())
    if not there.is_dir() or (why_not_writable(there) is not None):
        raise BadRequest(f"--runs {runs}: {there} cannot be written to: name another folder, by its full path")


def _serve(kept: KeptScreen, http: int | None, host: str, key: str | None) -> None:
    """In this, the main thread, do calls until the client's side ends; then close the screen."""
    from ..run import stops_until_heard
    from .calls import Desk
    from .server import make_server
    from .transports import is_loopback, listen, over_http, over_stdio, serving, tell_address

    if http is None and host != "127.0.0.1":
        raise BadRequest("--host goes with --http PORT")
    if http is not None and not is_loopback(host) and not key:
        raise BadRequest(f"--host {host} lets others in: give --api-key KEY, or MOONHAND_MCP_KEY")
    desk = Desk()
    server = make_server(kept, desk)
    if http is None:
        serve = over_stdio(server)
        if somebody_at_stdin():
            people().print("moonhand mcp: waits for a client on standard input; Ctrl-C ends it", highlight=False)
    else:
        listener = listen(host, http)
        tell_address(listener)
        serve = over_http(server, listener, key or None)
    with _heeding_ctrl_c(), serving(serve, desk):
        try:
            with stops_until_heard():
                desk.work()
        except KeyboardInterrupt:
            if not desk.is_left:
                raise
        finally:
            kept.close()


@contextmanager
def _heeding_ctrl_c() -> Generator[None]:
    """SIGINT raises KeyboardInterrupt even where whoever started us had it ignored: it is how a call is cut short."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)  # None: not set from Python
