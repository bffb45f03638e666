"""Lists, files and the clipboard of a Playwright page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from playwright.sync_api import Browser, ElementHandle, FileChooser, Frame, Page, Route
from playwright.sync_api import Error as PlaywrightError

from .actions import GetClipboard, SelectOption, SetClipboard, Upload
from .errors import UnsupportedAction
from .page_frames import frames_with_documents
from .page_values import VALUED, entry, listed, set_value
from .tabs import send
from .wording import describe

CHOOSER_WAIT_MS = 1000  # how long a click may take to open its file dialog
CLIPBOARD_URL = "https://clipboard.invalid/"

# The topmost element at a place, through shadow roots. An <iframe> is one as well, with the place in its own view.
ELEMENT_AT_JS = """
([x, y]) => {
  let found = null;
  for (let root = document; root; ) {
    const inner = root.elementFromPoint(x, y);
    if (!inner || inner === found) break;
    found = inner;
    root = inner.shadowRoot;
  }
  return found;
}
"""
INSIDE_JS = """
(frame, [x, y]) => {
  const box = frame.getBoundingClientRect(), style = getComputedStyle(frame);
  return [x - box.left - frame.clientLeft - parseFloat(style.paddingLeft),
          y - box.top - frame.clientTop - parseFloat(style.paddingTop)];
}
"""
AROUND_JS = """
(found, wanted) => {
  for (let node = found; node; node = node.parentElement ?? node.getRootNode().host) {
    if (node.matches(wanted)) return node;
    if (node.control?.matches(wanted)) return node.control;
  }
  return null;
}
"""
OPTIONS_JS = """
(list) => [...list.options].map((option) => [
  option.label.trim().replace(/\\s+/g, " "),
  list.disabled || option.disabled || option.parentElement.disabled === true,
])
"""
ADD_JS = """
(list, number) => {
  list.focus();
  if (list.options[number].selected) return;
  list.options[number].selected = true;
  list.dispatchEvent(new Event("input", {bubbles: true, composed: true}));
  list.dispatchEvent(new Event("change", {bubbles: true}));
}
"""
# Whether the page takes what is dragged over a place: told once all its own listeners have had the event.
HEAR_DRAG_JS = """
(found) => {
  const heard = {}, page = found.ownerDocument.defaultView;
  heard.told = new Promise((resolve) => {
    page.addEventListener("dragover", (event) => setTimeout(() => resolve(event.defaultPrevented)),
      {capture: true, once: true});
    setTimeout(() => resolve(false), 500);
  });
  return heard;
}
"""
LEAVE_JS = """
async () => {
  const {fullscreenElement, pointerLockElement} = document;
  if (pointerLockElement) document.exitPointerLock();
  if (fullscreenElement) await document.exitFullscreen().catch(() => {});
  return Boolean(fullscreenElement || pointerLockElement);
}
"""
IS_OPEN_JS = """
(list) => {
  try { return list.matches(":open") } catch { return false }
}
"""


def select_option(page: Page, action: SelectOption, place: tuple[float, float]) -> None:
    """Choose by the words shown, in any case, or give a date, a colour or a slider its value.

    A list of which several entries may be chosen keeps the others. UnsupportedAction, before anything is touched, lists
    what there is.
    """
    found = _element_at(page.main_frame, place, f"select, {VALUED}")
    if found is not None and found.evaluate("(found) => found instanceof HTMLInputElement"):
        set_value(found, action)
        return
    if found is None:
        raise UnsupportedAction(
            f"{describe(action)}: there is no native list; click to open it, then click on the entry"
        )
    options = cast(list[tuple[str, bool]], found.evaluate(OPTIONS_JS))
    names = [name for name, _ in options]
    number = entry(names, " ".join(action.option.split()))
    if number is None:
        raise UnsupportedAction(f"{describe(action)}: the list has no such entry; it has {listed(names)}")
    if options[number][1]:
        raise UnsupportedAction(f"{describe(action)}: the page does not let this entry be chosen now")
    if found.evaluate("(list) => list.multiple"):
        found.evaluate(ADD_JS, number)
        return
    found.select_option(index=number)
    if found.evaluate(IS_OPEN_JS):  # it was open before
        page.keyboard.press("Escape")


def upload(
    page: Page, action: Upload, place: tuple[float, float] | None, take_chooser: Callable[[], FileChooser | None]
) -> bool:
    """Give the files, or the folder, to the control at the place, to what its click opens, to what takes them when
    dropped there, or to the file dialog that is open.

    False where the click opened nothing, and nothing took them. UnsupportedAction comes before anything is touched, but
    for that click.
    """
    files = _files(action)
    if place is None:
        chooser = take_chooser()
        if chooser is None:
            raise UnsupportedAction(f"{describe(action)}: no file dialog is open; give the place of the upload control")
    elif (found := _element_at(page.main_frame, place, "input[type=file]")) is not None:
        _check_fit(action, found)
        found.set_input_files(files)
        return True
    else:
        take_chooser()  # an earlier one is not what this click opens
        page.mouse.click(*place)
        chooser = _awaited(page, take_chooser)
        if chooser is None:
            return _drop(page, files, place)
    _check_fit(action, chooser.element)
    chooser.set_files(files)
    return True


def leave_full_screen(page: Page) -> bool:
    """What Escape does in a window: end full screen and give the pointer back. False where there was neither."""
    was_in = False
    for frame in frames_with_documents(page):
        with suppress(PlaywrightError):  # it is just loading, or goes
            was_in |= bool(frame.evaluate(LEAVE_JS))
    return was_in


def use_clipboard(browser: Browser, action: GetClipboard | SetClipboard) -> str | None:
    """The text on the browser's clipboard, or None once the action's text is on it.

    A page of our own does it, in a context of its own: the user's pages keep their focus and gain no permission.
    """
    context = browser.new_context()
    try:
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=CLIPBOARD_URL.rstrip("/"))
        page = context.new_page()
        page.route("**/*", _empty_page)  # only secure origins have a clipboard
        page.goto(CLIPBOARD_URL)
        if isinstance(action, SetClipboard):
            page.evaluate("(text) => navigator.clipboard.writeText(text)", action.text)
            return None
        return str(page.evaluate("navigator.clipboard.readText()"))
    finally:
        context.close()


def _awaited(page: Page, take_chooser: Callable[[], FileChooser | None]) -> FileChooser | None:
    for _ in range(CHOOSER_WAIT_MS // 20):
        if (chooser := take_chooser()) is not None:
            return chooser
        page.wait_for_timeout(20)
    return None


def _empty_page(route: Route) -> None:
    route.fulfill(body="<!doctype html>", content_type="text/html")


def _element_at(frame: Frame, place: tuple[float, float], wanted: str) -> ElementHandle | None:
    """What `wanted` selects at a place of the frame's view or around it, or the control of a label there."""
    found = frame.evaluate_handle(ELEMENT_AT_JS, place).as_element()
    if found is None:
        return None
    inner = found.content_frame()
    if inner is not None:
        x, y = cast(list[float], found.evaluate(INSIDE_JS, place))
        return _element_at(inner, (x, y), wanted)
    return found.evaluate_handle(AROUND_JS, wanted).as_element()


def _drop(page: Page, files: list[str], place: tuple[float, float]) -> bool:
    """Drag the files onto a place; False, with nothing dropped, where the page would not take them."""
    found = _element_at(page.main_frame, place, "*")
    if found is None:
        return False
    heard = found.evaluate_handle(HEAR_DRAG_JS)
    session = page.context.new_cdp_session(page)
    x, y = place
    drag = {"items": [], "files": files, "dragOperationsMask": 1}

    def send_drag(kind: str) -> None:
        send(session, "Input.dispatchDragEvent", type=kind, x=x, y=y, data=drag)

    send_drag("dragEnter")
    send_drag("dragOver")
    takes_it = bool(heard.evaluate("(heard) => heard.told"))
    send_drag("drop" if takes_it else "dragCancel")  # dropped on any other place, a file opens in the tab
    session.detach()
    return takes_it


def _files(action: Upload) -> list[str]:
    files = [str(Path(path).expanduser().absolute()) for path in action.paths]
    missing = [file for file in files if not Path(file).exists()]
    if missing:
        raise UnsupportedAction(f"{describe(action)}: there is no file {', '.join(missing)}")
    return files


def _check_fit(action: Upload, control: ElementHandle) -> None:
    takes_many, takes_folder = cast(
        tuple[bool, bool], control.evaluate("(control) => [control.multiple, control.webkitdirectory]")
    )
    has_folder = any(Path(file).is_dir() for file in _files(action))
    if takes_folder and (len(action.paths) > 1 or not has_folder):
        raise UnsupportedAction(f"{describe(action)}: this control takes one folder, with all that is in it")
    if has_folder and not takes_folder:
        raise UnsupportedAction(f"{describe(action)}: this control takes files, not a folder; name the files in it")
    if len(action.paths) > 1 and not takes_many:
        raise UnsupportedAction(f"{describe(action)}: this control takes one file, not {len(action.paths)}")
