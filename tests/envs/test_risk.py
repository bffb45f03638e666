"""What an action itself tells of its risks."""

import pytest
from moonhand.envs import (
    Action,
    Click,
    Drag,
    KeyDown,
    Move,
    Navigate,
    NewTab,
    OpenApp,
    Point,
    PressKeys,
    Scroll,
    SetClipboard,
    TypeText,
    Upload,
    Wait,
    risks_of,
)
from moonhand.envs.risk import is_download


@pytest.mark.parametrize(
    ("action", "risks"),
    [
        (TypeText(text="Ada Lovelace"), ""),
        (TypeText(text="my {{secret:shop}}!"), "secret"),
        (TypeText(text="{{ Secret:odd name}}"), "secret"),
        (SetClipboard(text="{{secret:shop}}"), "secret"),
        (TypeText(text="Ada", submit=True), "submit"),
        (TypeText(text="Ada\n"), "submit"),
        (TypeText(text="Ada\t "), "submit"),
        (TypeText(text="Ada\tB"), ""),
        (PressKeys(keys=("Return",)), "submit"),
        (PressKeys(keys=("ctrl", "enter")), "submit"),
        (KeyDown(key="enter"), "submit"),
        (Upload(paths=("/etc/passwd",)), "upload"),
        (OpenApp(name="terminal"), "shell"),
        *(
            (PressKeys(keys=keys), "shell")
            for keys in (
                ("ctrl", "alt", "t"), ("alt", "f4"), ("alt", "tab"), ("meta",), ("meta", "r"), ("ctrl", "w"),
                ("ctrl", "q"), ("ctrl", "n"), ("ctrl", "t"), ("ctrl", "shift", "t"), ("ctrl", "l"), ("f12",),
                ("ctrl", "shift", "i"), ("alt", "s"), ("shift", "alt", "f4"), ("ctrl", "1"), ("ctrl", "9"),
                ("ctrl", "pageup"), ("ctrl", "pagedown"), ("ctrl", "k"), ("ctrl", "e"), ("f10",), ("menu",), ("alt",),
                ("shift", "escape"), ("ctrl", "shift", "n"), ("ctrl", "shift", "w"), ("ctrl", "shift", "delete"),
            )
        ),
        (KeyDown(key="ctrl"), "shell"),
        (KeyDown(key="meta"), "shell"),
        (Click(x_px=1, y_px=1, modifiers=("alt",)), "shell"),
        *(
            (PressKeys(keys=keys), "")
            for keys in (("ctrl", "a"), ("ctrl", "c"), ("ctrl", "shift", "z"), ("tab",), ("shift", "tab"), ("f5",))
        ),
        (KeyDown(key="shift"), ""),
        (Click(x_px=1, y_px=1, modifiers=("ctrl",)), ""),
        (Drag(path=(Point(1, 1), Point(2, 2))), ""),
        (Navigate(url="http://shop.example/files/report.pdf?x=1"), "download"),
        (NewTab(url="http://shop.example/setup.tar.gz"), "download"),
        (Navigate(url="http://shop.zip/v1.2/index.html"), ""),
        (Move(x_px=1, y_px=1), ""),
        (Scroll(dy=1), ""),
        (Wait(), ""),
    ],
    ids=repr,
)  # fmt: skip
def test_an_action_has_these_risks(action: Action, risks: str) -> None:
    assert risks_of(action) == set(risks.split())


def test_keys_that_are_held_make_chords_of_what_comes_next() -> None:
    assert risks_of(PressKeys(keys=("t",)), held=("ctrl", "alt")) == {"shell"}
    assert risks_of(TypeText(text="w"), held=("ctrl",)) == {"shell"}
    assert risks_of(KeyDown(key="f4"), held=("alt",)) == {"shell"}
    assert risks_of(PressKeys(keys=("t",)), held=("shift",)) == frozenset()


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "http://[",
            "http://x",
            "http://x/a.unknown-kind",
            "javascript:a.zip()//",
            "x\0",
            "mailto:a@shop.example",
        ),
        *("http://x/v1.2", "http://x/a.PHP?file=b.zip", "http://x/a.jsp;id=b.zip", "data:text/html,x"),
    ],
)
def test_what_is_no_file_is_no_download(url: str) -> None:
    assert not is_download(url)


@pytest.mark.parametrize(
    "ending",
    [
        *("dmg", "msi", "apk", "deb", "rpm", "7z", "rar", "iso", "docx", "xlsx", "AppImage", "jar", "ps1", "bat"),
        *("exe", "zip", "pdf", "sh", "csv", "bin%20", "exe/", "exe;x=1", "unheard"),
    ],
)
def test_what_browsers_are_not_known_to_show_is_a_download(ending: str) -> None:
    assert is_download(f"http://shop.example/setup.{ending}")
    assert is_download("data:application/zip;base64,UEs=")
