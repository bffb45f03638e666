"""What a page may have from the machine, and what goes wrong between it and its server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import BrowserContext, Request, Response
from playwright.sync_api import Error as PlaywrightError

from .errors import EnvError

_TOLD = ("ERR_ABORTED", "ERR_BLOCKED_BY_CLIENT", "ERR_INVALID_AUTH_CREDENTIALS")  # a download, the rules, a status
_HINTS = (
    ("ERR_NAME_NOT_RESOLVED", "there is no such host"),
    ("ERR_INTERNET_DISCONNECTED", "this machine is offline: wait, then reload"),
    ("ERR_CONNECTION_REFUSED", "nothing listens there"),
    ("ERR_CERT_", "its certificate is not valid"),
    ("ERR_SSL_", "it speaks no proper TLS"),
    ("TIMED_OUT", "it does not answer"),
    ("", "go back, or reload"),
)


def note_network(context: BrowserContext, note: Callable[[str], None]) -> None:
    """Tell `note` of each page that could not be loaded, or wants a log-in. Frames within pages are left alone."""

    def failed(request: Request) -> None:
        reason = request.failure or "no reason given"
        if _is_page(request) and not any(each in reason for each in _TOLD):
            hint = next(hint for part, hint in _HINTS if part in reason)
            note(f"{request.url} could not be loaded whole ({reason}): {hint}")

    def answered(response: Response) -> None:
        if response.status in (401, 407) and _is_page(response.request):
            whose = "the server" if response.status == 401 else "the proxy"
            note(f"{response.url}: {whose} wants a log-in ({response.status}): give the right one with --http-auth")

    context.on("requestfailed", failed)
    context.on("response", answered)


def grant(context: BrowserContext, permissions: tuple[str, ...]) -> None:
    """Give every page these permissions and deny it all others, so that none waits for an answer."""
    try:
        context.grant_permissions(permissions)
    except PlaywrightError as error:
        raise EnvError(
            f"the permissions {', '.join(permissions)} cannot be granted ({error.message.partition(chr(10))[0]}): "
            "grant geolocation, camera, microphone, notifications, clipboard-read, clipboard-write, ..."
        ) from error


def _is_page(request: Request) -> bool:
    with suppress(PlaywrightError):  # of a tab that is gone, or a service worker's own
        return request.is_navigation_request() and request.frame.parent_frame is None
    return False
