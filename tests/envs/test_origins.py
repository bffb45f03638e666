from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moonhand.envs import OriginRules
from playwright.sync_api import Page, sync_playwright

SHOP = OriginRules(allow=("shop.example",))
NOT_EVIL = OriginRules(deny=("evil.example",))


@pytest.fixture(scope="module")
def page(chromium: str) -> Generator[Page]:
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as browser:
        yield browser.new_page()


@pytest.mark.parametrize("url", ["https://any.example", "data:text/html,x", "javascript:1", "file:///etc/passwd", "?"])
def test_without_rules_everything_is_allowed(url: str) -> None:
    assert OriginRules().allows(url)
    assert not OriginRules()


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "http://shop.example/a?b#c",
        "https://shop.example:443/",
        "HTTPS://SHOP.EXAMPLE/",
        "https://shop.example./",
        "https:shop.example",
        "https:\\\\shop.example\\",
        " https://sh\top.ex\nample/ ",
        "https://me:word@shop.example/",
        "https://evil.example@shop.example/",
        "https://%73hop.example/",
        "blob:https://shop.example/7c0e",
        "view-source:https://shop.example/",
        "filesystem:https://shop.example/temporary/x",
        "about:blank",
        "about:srcdoc",
        "about:blank#here",
        "chrome-error://chromewebdata/",
    ],
)
def test_a_host_on_the_allow_list_is_allowed_however_it_is_written(url: str) -> None:
    assert SHOP.allows(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "https://shop.example@evil.example/",
        "https://shop.example:pw@evil.example",
        "https://shop.example%2f@evil.example",
        "https://shop.example.evil.example/",
        "https://evil-shop.example/",
        "https://www.shop.example/",
        "https://evil.example\\@shop.example/",
        "https://evil.example/@shop.example",
        "https://evil.example#@shop.example",
        "https://evil.example?@shop.example",
        "https:///\\evil.example/shop.example",
        "https://shop.example:8443/",
        "http://shop.example:443/",
        "https://sh\u043ep.example/",  # a Cyrillic o
        "https://\uff53hop.example/",  # a full-width s, which Chromium reads as s: refused, not guessed
        "https://xn--shp-9lc.example/",
        "data:text/html,<a href=https://shop.example>",
        "javascript:location='https://evil.example'",
        "blob:https://evil.example/7c0e",
        "blob:null/7c0e",
        "view-source:https://evil.example/",
        "filesystem:https://evil.example/temporary/x",
        "chrome://settings/",
        "about:version",
        "ws://shop.example/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "//shop.example/",
        "shop.example",
        "https://",
        "https://shop.example:99999/",
        "",
    ],
)
def test_nothing_else_is(url: str) -> None:
    assert not SHOP.allows(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example:8443/",
        "http://EVIL.example./",
        "https://shop.example@evil.example",
        "blob:https://evil.example/7c0e",
        "view-source:http://evil.example",
        "https://e\u00advil.example",  # with a soft hyphen, which Chromium drops
        "https://%65vil.example/",
    ],
)
def test_a_host_on_the_deny_list_is_denied_on_every_port_however_it_is_written(url: str) -> None:
    assert not NOT_EVIL.allows(url)
    assert not OriginRules(allow=("*",), deny=("evil.example",)).allows(url)


@pytest.mark.parametrize(
    "url", ["https://shop.example/", "data:text/html,x", "https://www.evil.example/", "blob:null/1"]
)
def test_a_deny_list_alone_lets_all_else_through(url: str) -> None:
    assert NOT_EVIL.allows(url)


def test_every_kind_of_pattern_holds_what_it_says() -> None:
    def allows(pattern: str, *urls: str) -> list[bool]:
        return [OriginRules(allow=(pattern,)).allows(url) for url in urls]

    under = ("https://shop.example", "https://a.b.shop.example", "https://notshop.example", "https://x.shop.example:81")
    assert allows("*.shop.example", *under) == [True, True, False, False]
    ports = ("https://shop.example:8443/x", "https://shop.example/", "http://shop.example:8443/")
    assert allows("https://shop.example:8443", *ports) == [True, False, False]
    local = ("http://localhost:3000/", "http://localhost/", "https://localhost/", "http://evil.localhost:3000/")
    assert allows("http://localhost:*", *local) == [True, True, False, False]
    assert allows("localhost:8000", "http://localhost:8000", "https://localhost:8000", "http://localhost") == [
        True, True, False
    ]  # fmt: skip
    v4 = ("http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.0.0.2/")
    assert allows("127.0.0.1", *v4) == [True, True, True, True, False]
    v6 = ("http://[::1]:80/", "http://[0:0::1]/", "http://[::1]:81/", "http://[::2]/")
    assert allows("[::1]", *v6) == [True, True, False, False]
    files = ("file:///folder/a/b.html", "file:///folder/../etc/passwd", "file:///folder/%2e%2e/etc",
             "file:///folderx", "file://host/folder/a", "file:///folder/a%2f..%2f..%2fetc", "file:\\folder\\a",
             "file:///FOLDER/a")  # fmt: skip
    assert allows("file:///folder/", *files) == [True, False, False, False, False, False, True, False]
    assert allows("file:///my folder/page.html", "file:///my%20folder/page.html", "file:///my%20folder/") == [
        True,
        False,
    ]
    by_host = [f"file://{host}/etc/passwd" for host in ("", "127.0.0.1", "[::1]", "a.localhost", "localhost.", "x")]
    assert not any(OriginRules(deny=("file:///",)).allows(url) for url in by_host)
    assert allows("file:///", *by_host) == [True, False, False, False, False, False]
    assert allows("data:", "data:text/html,x", "DATA:,x", "https://data/") == [True, True, False]
    assert allows("*", "data:,x", "https://evil.example:1/", "file:///x", "chrome://version") == [True] * 4
    idn = ("https://b\u00fccher.example/", "https://xn--bcher-kva.example/", "https://B\u00dcCHER.example/")
    assert allows("b\u00fccher.example", *idn) == [True] * 3


@pytest.mark.parametrize(
    "pattern",
    ["", "http://", "shop.example/path", "https://shop.example/path", "ftp://shop.example", "shop.*", "*shop.example",
     "me@shop.example", "shop.example:port", "*.127.0.0.1", "blob:", "javascript:", "shop example", "[::g]",
     "1.2.3.4.5"],
)  # fmt: skip
def test_a_bad_pattern_is_an_error_that_shows_good_ones(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"no pattern of origins: write shop\.example"):
        OriginRules(allow=(pattern,))
    with pytest.raises(ValueError, match=r"\*\.shop\.example"):
        OriginRules(deny=(pattern,))


def test_the_rule_against_a_url_is_named() -> None:
    rules = OriginRules(allow=("*.example",), deny=("evil.example",))
    assert rules.why_not("https://evil.example/") == "on the deny-list: evil.example"
    assert rules.why_not("https://other.test/") == "not on the allow-list"
    assert rules.why_not("nothing") == "not a full URL that can be judged"
    assert rules.why_not("https://shop.example/") is None


_HOSTS = st.sampled_from(
    ["shop.example", "evil.example", "SHOP.example.", "shop.example..", "127.0.0.1", "2130706433", "0x7f.1", "0177.1",
     "127.1", "0x7f000001", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
     "%73hop.example", "shop%2eexample", "sh\u00f3p.example", "\uff53hop.example", "shop\u3002example",
     "shop.ex\u00adample", "stra\u00dfe.example", "strasse.example", "xn--strae-oqa.example", "B\u00dcCHER.example",
     "xn--bcher-kva.example", "\u0130.example", "a\u0301.example", "\u212aelvin.example", "kelvin.example", "1.2.3",
     "0", "08.1", "1.2.3.4.5", "256.1", "", "..", "a..b"]
)  # fmt: skip
_PIECES = st.sampled_from(
    ["/", "//", "\\", "\\\\", "@", ":", ":80", ":443", ":8443", ":0080", "?", "#", "%2f", "%40", "%00", "\t", "\n", " ",
     ".", "..", "%2e", "blob:", "view-source:", "http:", "https:", "user", "user:pw@", "\u200b", "\u00a0", "|", "^"]
)  # fmt: skip
_STARTS = st.sampled_from(["https:", "http:", " HTTP:", "h\tttps:", "ws:", "ftp:", "file:", "blob:https:", "data:", ""])
_SLASHES = st.sampled_from(["//", "", "/", "///", "\\\\", "/\\", "/\t/"])
_ODD_HOSTS = st.one_of(
    st.text(min_size=1, max_size=6).map("{}.example".format), st.text("0123456789.xabcf%:[]", min_size=1, max_size=12)
)
_STEPS = st.sampled_from(["", "", "a", "..", ".", "%2e", "%2E.", "c:", "C|", "b c", "%20", "\\"])
_URLS = st.one_of(
    st.tuples(
        _STARTS, _SLASHES, st.lists(st.one_of(_HOSTS, _PIECES, st.text(max_size=2)), max_size=5).map("".join)
    ).map("".join),
    _ODD_HOSTS.map("https://{}/".format),
    st.lists(_STEPS, max_size=8).map("/".join).map("file:{}".format),
)
ORIGINS_JS = """(urls) => urls.map((text) => {
  try {
    const url = new URL(text), inner = url.protocol === "blob:" && url.origin !== "null" ? new URL(url.origin) : url;
    return { scheme: inner.protocol.slice(0, -1), host: inner.hostname, port: inner.port,
             path: decodeURIComponent(url.pathname) };
  } catch { return null }
})"""


@pytest.mark.browser
@settings(
    max_examples=20,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)
@given(urls=st.lists(_URLS, min_size=60, max_size=120))
def test_nothing_that_chromium_takes_for_another_host_is_ever_allowed(page: Page, urls: list[str]) -> None:
    """Chromium itself says what it makes of each address."""
    hosts = ("shop.example", "127.0.0.1", "[::1]", "strasse.example", "xn--bcher-kva.example", "kelvin.example")
    allow = OriginRules(allow=(*(f"{host}:*" for host in hosts), "file:///a/"))
    deny = OriginRules(deny=(*hosts, "file:///a/"))
    readings: list[dict[str, Any] | None] = page.evaluate(ORIGINS_JS, urls)
    for url, read in zip(urls, readings, strict=True):
        is_ours = read is not None and (
            read["host"].removesuffix(".") in hosts
            if read["scheme"] in ("http", "https")
            else read["scheme"] == "file" and not read["host"] and read["path"].startswith("/a/")
        )
        if read is not None:
            assert is_ours or not allow.allows(url), (url, read)
            assert not is_ours or not deny.allows(url), (url, read)
