"""The clipboard of a browser that was given secrets."""

from __future__ import annotations

from collections.abc import Callable

from .actions import GetClipboard, SetClipboard
from .secrets import Secrets

UseClipboard = Callable[[GetClipboard | SetClipboard], str | None]  # None where it cannot be read
NO_SITE = ("about:", "chrome-error:")  # where nobody would take what is on it


class SecretClipboard:
    """Sees to it that no secret is on it where none belongs, however it would be pasted or read there."""

    def __init__(self, secrets: Secrets, is_elsewhere: Callable[[str], bool], use: UseClipboard) -> None:
        self._secrets, self._is_elsewhere, self._use = secrets, is_elsewhere, use
        self._was_looked_at = False  # since the run was where secrets belong

    @property
    def may_hold_secret(self) -> bool:
        text = self._use(GetClipboard())
        return text is None or self._secrets.shows_in(text)

    def clear_for(self, url: str) -> bool:
        """Clear it where it holds a secret and the page at this address is elsewhere; whether that was so."""
        if not self._secrets.values or url.startswith(NO_SITE):
            return False
        if not self._is_elsewhere(url):
            self._was_looked_at = False
            return False
        if self._was_looked_at:
            return False
        self._was_looked_at = True
        if not self._secrets.shows_in(self._use(GetClipboard()) or ""):
            return False
        self._use(SetClipboard(text=""))
        return True
