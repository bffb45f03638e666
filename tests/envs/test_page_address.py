from __future__ import annotations

from pathlib import Path

import pytest
from moonhand.envs import BrowserConfig
from moonhand.envs.page_address import why_no_url


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a?b#c",
        "HTTP://EXAMPLE.COM",
        "about:blank",
        "data:text/html,<p>hi",
        "file:///a/page.html",
        "chrome://version",
        "view-source:https://example.com",
    ],
)
def test_a_url_is_taken_whatever_its_scheme(url: str) -> None:
    assert why_no_url(url) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("example.com", "example.com is no URL: did you mean https://example.com?"),
        ("example.com:8443/a?b=c", "example.com:8443/a?b=c is no URL: did you mean https://example.com:8443/a?b=c?"),
        ("localhost:8000", "localhost:8000 is no URL: did you mean http://localhost:8000?"),
        ("127.0.0.1:8000/x", "127.0.0.1:8000/x is no URL: did you mean http://127.0.0.1:8000/x?"),
        ("nowhere.html", "nowhere.html is no URL, and there is no such file: give a URL, such as https://example.com"),
        ("./nowhere", "./nowhere is no URL, and there is no such file: give a URL, such as https://example.com"),
        ("click Sign up", "'click Sign up' is no URL: give one such as https://example.com"),
        ("a" * 5000, f"{'a' * 5000} is no URL: did you mean https://{'a' * 5000}?"),
        ("a\0b", "a\0b is no URL: did you mean https://a\0b?"),
    ],
)
def test_what_was_meant_by_something_else_is_asked(text: str, meant: str) -> None:
    assert why_no_url(text) == meant


def test_a_file_that_is_there_is_named_by_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my page.html").touch()
    monkeypatch.chdir(tmp_path)
    meant = f"my page.html is no URL: did you mean {tmp_path.resolve().as_uri()}/my%20page.html?"
    assert why_no_url("my page.html") == meant
    with pytest.raises(ValueError, match="is no URL: did you mean file:///"):
        BrowserConfig(url="my page.html")
