"""The address of a document, read the way Chromium reads it: by the URL standard of the WHATWG.

What is left open here (a host in letters that have to be mapped first, an escaped slash in the path of a file) counts
as unreadable: it is better to refuse an address than to take it for another one.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
_WRAPPERS = ("blob", "filesystem", "view-source")  # the address of a document follows
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(.*)", re.IGNORECASE | re.DOTALL)
_BAD_IN_HOST = re.compile(r"[\x00-\x20#/:<>?@\[\\\]^`{|}%\x7f]")
_DRIVE = re.compile(r"[A-Za-z][:|]")


class Address(NamedTuple):
    """Where a document comes from. Host and port are empty for schemes that have none."""

    scheme: str
    host: str = ""  # small letters, names of other scripts as xn--, without a dot at its end
    port: int | None = None
    path: str = ""  # of files only, unescaped


def parse_address(url: str) -> Address | None:
    """The origin of a full URL; that within a blob:, filesystem: or view-source: one. None: it cannot be read."""
    cut = re.sub(r"[\t\n\r]", "", url.strip("".join(map(chr, range(0x21)))))
    match = _SCHEME.fullmatch(cut)
    if match is None:
        return None
    scheme, rest = match[1].lower(), match[2]
    if scheme in _WRAPPERS:
        inner = parse_address(rest)
        if scheme == "view-source" or (inner is None and not rest.startswith("null/")):
            return inner
        return inner if inner and inner.scheme in ("http", "https", "file") else Address(scheme)  # made without origin
    if scheme == "file":
        return _file_address(rest)
    if scheme in DEFAULT_PORTS:
        return _web_address(scheme, rest)
    return Address(scheme)


def canonical_host(text: str) -> str | None:
    """The host in the one form Chromium gives it; None where it has none, or one that only Chromium could tell."""
    if text.startswith("["):
        return _ipv6(text)
    try:
        host = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return None
    if not host.isascii():
        folded = host.lower()
        if unicodedata.normalize("NFKC", host.casefold()) != folded:
            return None
        if any(unicodedata.category(char)[0] not in "LMN" for char in folded if not char.isascii()):
            return None
        host = ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
                        for label in folded.split("."))  # fmt: skip
    host = host.lower().removesuffix(".")
    if not host or _BAD_IN_HOST.search(host):
        return None
    last = host.rpartition(".")[2]
    return _ipv4(host) if _is_number(last) else host


def without_password(url: str) -> str:
    """The address as it may be kept: of USER:PASSWORD@ only the user."""
    return re.sub(r"(?<=://)([^/?#@:]*):[^/?#@]*@", r"\1:***@", url)


def _web_address(scheme: str, rest: str) -> Address | None:
    authority = re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0]
    location = authority.rpartition("@")[2]
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?", location)
    if match is None:
        return None
    host = canonical_host(match[1])
    port = int(match[2]) if match[2] else DEFAULT_PORTS[scheme]
    return None if host is None or port > 0xFFFF else Address(scheme, host, port)


def _file_address(rest: str) -> Address | None:
    path = re.split(r"[?#]", rest, maxsplit=1)[0].replace("\\", "/")
    host = ""
    if path.startswith("//"):
        host, _, path = path[2:].partition("/")
    if re.search(r"%(?:2f|5c|00)", path, re.IGNORECASE):
        return None
    parts: list[str] = []
    for segment in path.lstrip("/").split("/"):  # systems take slashes at the beginning for one
        try:
            parts.append(unquote_to_bytes(segment).decode())
        except UnicodeDecodeError:
            return None
    if ".." in parts and any(map(_DRIVE.fullmatch, (host, *parts))):  # it depends on the system what that means
        return None
    kept: list[str] = []
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return Address("file", "" if host.lower() == "localhost" else host, None, "/" + "/".join(kept))


def _is_number(label: str) -> bool:
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label) is not None


def _ipv4(host: str) -> str | None:
    """From one to four numbers, each decimal, 0x hex or 0 octal, the last of which fills the bytes left."""
    parts = host.split(".")
    if len(parts) > 4 or not all(map(_is_number, parts)):
        return None
    numbers: list[int] = []
    for part in parts:
        try:
            if part.startswith("0x"):
                numbers.append(int(part[2:] or "0", 16))
            else:
                numbers.append(int(part, 8 if part.startswith("0") and len(part) > 1 else 10))
        except ValueError:  # a digit that is none in this base
            return None
    *bytes_before, last = numbers
    if any(number > 255 for number in bytes_before) or last >= 256 ** (5 - len(numbers)):
        return None
    return str(ipaddress.IPv4Address(sum(number << (8 * (3 - at)) for at, number in enumerate(bytes_before)) + last))


def _ipv6(text: str) -> str | None:
    try:
        address = ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        return None
    if not text.endswith("]") or address.scope_id is not None:
        return None
    if address.ipv4_mapped is not None:  # Python may write its end as an IPv4 address, Chromium never does
        low = int(address) & 0xFFFFFFFF
        return f"[::ffff:{low >> 16:x}:{low & 0xFFFF:x}]"
    return f"[{address.compressed}]"
