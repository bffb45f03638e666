"""browser-use's history, as `AgentHistoryList.save_to_file` writes it, of older and newer versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote_plus

from pydantic import ValidationError

from ...envs import (
    Action,
    Back,
    Click,
    CloseTab,
    Element,
    Extract,
    Finish,
    Frame,
    Navigate,
    NewTab,
    Point,
    PressKeys,
    Scroll,
    SelectOption,
    SwitchTab,
    TypeText,
    Upload,
    Wait,
)
from ...envs.surroundings import LONGEST
from ..errors import BadRequest
from .imported import Draft, DraftStep
from .reading import BadPicture, Json, as_list, as_object, picture_beside, picture_of, read_json, text_of

SEARCH = {
    "google": "https://www.google.com/search?q=",
    "bing": "https://www.bing.com/search?q=",
    "duckduckgo": "https://duckduckgo.com/?q=",
}
TYPED_TAGS = ("input", "textarea")


class NoCounterpart(ValueError):
    """An action that there is none for here, or that lacks what it needs."""


def read_browser_use(path: Path, images: Path | None, problems: list[str]) -> Iterator[Draft]:
    """One draft. The history does not keep the task: see `--goal`. CSS px are taken for px of the screenshots."""
    del problems
    said = as_object(read_json(path))
    history = said.get("history")
    if not isinstance(history, list):
        raise BadRequest(f"{path} has no `history`: this is no history of browser-use")
    folders = (images,) if images is not None else (path.parent, path.parent / "screenshots")
    draft = Draft(name=path.stem, goal=f"browser-use history {path.stem}", source="agent", steps=())
    first = as_object(as_object(as_list(history)[0] if history else None).get("state"))
    draft.url = text_of(first.get("url"))
    draft.steps = _steps(as_list(history), folders, draft)
    results = [as_object(each) for item in as_list(history) for each in as_list(as_object(item).get("result"))]
    if results and results[-1].get("is_done") and isinstance(results[-1].get("success"), bool):
        draft.success = results[-1]["success"]
    yield draft


def _steps(history: list[Any], folders: tuple[Path, ...], draft: Draft) -> Iterator[DraftStep]:
    for turn, item in enumerate(history):
        entry = as_object(item)
        state, output = as_object(entry.get("state")), as_object(entry.get("model_output"))
        brain = as_object(output.get("current_state")) or output  # older histories keep the words one level deeper
        times = as_object(entry.get("metadata"))
        began = times.get("step_start_time")
        frame = _picture(state, folders, turn, draft)
        if frame is not None:
            draft.size = frame.size
        elements, results = as_list(state.get("interacted_element")), as_list(entry.get("result"))
        actions = as_list(output.get("action"))
        common: Json = {
            "before": frame,
            "turn": turn,
            "url": text_of(state.get("url")),
            "title": text_of(state.get("title")),
            "started_at_s": float(began) if isinstance(began, int | float) else 0.0,
        }
        if not actions:
            errors = [text for one in results if (text := text_of(as_object(one).get("error")))]
            yield DraftStep(action=None, error=errors[0] if errors else "the model gave no action", **common)
        for place, one in enumerate(actions):
            element = as_object(elements[place]) if place < len(elements) else {}
            result = as_object(results[place]) if place < len(results) else {}
            words: Json = {"element": _element(element, frame)}
            if place == 0:
                words |= {"thought": text_of(brain.get("thinking")) or text_of(brain.get("memory"))}
                words |= {"instruction": text_of(brain.get("next_goal"))}
            error = text_of(result.get("error"))
            if place >= len(results) and results:
                error = "it was not carried out"
            try:
                found = _actions(as_object(one), element, result, as_list(state.get("tabs")))
            except (NoCounterpart, ValidationError, KeyError, TypeError, ValueError) as trouble:
                why = str(trouble).splitlines()[0]
                yield DraftStep(action=None, error=f"turn {turn + 1}, {_name(one)}: {why}", **common, **words)
                continue
            for action in found:
                answer = text_of(result.get("extracted_content")) if action.type == "extract" else None
                yield DraftStep(action=action, error=error, answer=answer, **common, **words)


def _picture(state: Json, folders: tuple[Path, ...], turn: int, draft: Draft) -> Frame | None:
    """From beside the history, by its name alone, or from within it (older versions)."""
    inline, path = text_of(state.get("screenshot")), text_of(state.get("screenshot_path"))
    try:
        if inline is not None:
            import base64
            import binascii

            try:
                return picture_of(base64.b64decode(inline, validate=False), f"the screenshot of turn {turn + 1}")
            except binascii.Error as error:
                raise BadPicture(f"the screenshot of turn {turn + 1} is not base64: {error}") from error
        if path is not None:
            return picture_beside(folders, PurePosixPath(path.replace("\\", "/")).name)
    except BadPicture as error:
        draft.problem(f"turn {turn + 1}: {error}")
    return None


def _name(one: object) -> str:
    return next(iter(as_object(one)), "an empty action")


def _box(element: Json) -> tuple[float, float, float, float] | None:
    bounds = as_object(element.get("bounds"))
    sides = [bounds.get(name) for name in ("x", "y", "width", "height")]
    if not all(isinstance(side, int | float) for side in sides):
        return None
    x, y, width, height = (float(side or 0) for side in sides)
    return x, y, width, height


def _element(said: Json, frame: Frame | None) -> Element | None:
    """Its path is kept as a selector: nobody checked that it finds this element alone."""
    box = _box(said)
    if box is None or frame is None:
        return None
    tag = str(said.get("node_name") or said.get("tag_name") or "").lower()
    attributes, xpath = as_object(said.get("attributes")), text_of(said.get("x_path")) or text_of(said.get("xpath"))
    identity = text_of(attributes.get("id"))
    selectors = [f"#{identity}"] if identity and re.fullmatch(r"[A-Za-z_][\w-]*", identity) else []
    selectors += [f"xpath//{xpath.lstrip('/')}"] if xpath else []
    return Element(
        tag=tag,
        role=str(attributes.get("role") or ""),
        name=str(said.get("ax_name") or attributes.get("aria-label") or "")[:LONGEST],
        selectors=tuple(selectors),
        left_px=box[0],
        top_px=box[1],
        width_px=box[2],
        height_px=box[3],
    )


def _place(given: Json, element: Json, result: Json) -> Point:
    """Where it was clicked: told, or the middle of the element. NoCounterpart where neither is known."""
    told = as_object(result.get("metadata"))
    for x, y in ((told.get("click_x"), told.get("click_y")), (told.get("input_x"), told.get("input_y"))):
        if isinstance(x, int | float) and isinstance(y, int | float):
            return Point(float(x), float(y))
    if isinstance(given.get("coordinate_x"), int | float) and isinstance(given.get("coordinate_y"), int | float):
        return Point(float(given["coordinate_x"]), float(given["coordinate_y"]))
    box = _box(element)
    if box is None:
        raise NoCounterpart("nobody kept where its element was")
    return Point(box[0] + box[2] / 2, box[1] + box[3] / 2)


def _actions(one: Json, element: Json, result: Json, tabs: list[Any]) -> tuple[Action, ...]:
    """The action in ours. NoCounterpart, KeyError or ValueError where there is none."""
    if len(one) != 1:
        raise NoCounterpart(f"an action has one name, this one {len(one)}")
    name, value = next(iter(one.items()))
    given = as_object(value)

    def point() -> Point:
        return _place(given, element, result)

    make: Callable[[], tuple[Action, ...]] | None = {
        "click": lambda: (_click(point()),),
        "select_dropdown": lambda: (SelectOption(x_px=point().x_px, y_px=point().y_px, option=str(given["text"])),),
        "input": lambda: (
            _click(point()),
            TypeText(text=str(given["text"]), clear=bool(given.get("clear", True))),
        ),
        "upload_file": lambda: (Upload(x_px=point().x_px, y_px=point().y_px, paths=(str(given["path"]),)),),
        "navigate": lambda: (NewTab(url=given["url"]) if given.get("new_tab") else Navigate(url=given["url"]),),
        "open_tab": lambda: (NewTab(url=given["url"]),),
        "search": lambda: (_search(given),),
        "go_back": lambda: (Back(),),
        "wait": lambda: (Wait(seconds_s=float(given.get("seconds", 3))),),
        "scroll": lambda: (_scroll(name, given),),
        "send_keys": lambda: _keys(str(given["keys"])),
        "switch": lambda: (SwitchTab(index=_tab(given, tabs)),),
        "close": lambda: (CloseTab(index=_tab(given, tabs)),),
        "extract": lambda: (Extract(question=str(given.get("query") or given.get("goal") or "")),),
        "done": lambda: (_finish(given),),
    }.get(OLD_NAMES.get(name, name))
    if make is None:
        raise NoCounterpart("there is no such action here")
    return make()


OLD_NAMES = {
    **dict.fromkeys(("click_element", "click_element_by_index"), "click"),
    **dict.fromkeys(("input_text",), "input"),
    **dict.fromkeys(("go_to_url",), "navigate"),
    **dict.fromkeys(("search_google",), "search"),
    **dict.fromkeys(("scroll_down", "scroll_up"), "scroll"),
    **dict.fromkeys(("switch_tab",), "switch"),
    **dict.fromkeys(("close_tab",), "close"),
    **dict.fromkeys(("extract_content", "extract_page_content", "extract_structured_data"), "extract"),
    **dict.fromkeys(("select_dropdown_option",), "select_dropdown"),
}


def _click(at: Point) -> Click:
    return Click(x_px=at.x_px, y_px=at.y_px)


def _search(given: Json) -> Navigate:
    return Navigate(
        url=SEARCH.get(str(given.get("engine", "google")), SEARCH["google"]) + quote_plus(str(given["query"]))
    )


def _scroll(name: str, given: Json) -> Scroll:
    if name in ("scroll_down", "scroll_up"):
        way, amount = (1 if name == "scroll_down" else -1), given.get("amount")
    else:
        way, amount = (1 if given.get("down", True) else -1), None
    if amount is not None:
        return Scroll(dy=way * float(amount), unit="px")
    return Scroll(dy=way * float(given.get("pages", given.get("num_pages", 1.0))), unit="page")


def _keys(said: str) -> tuple[Action, ...]:
    """A chord, several of them, or else a text that is typed."""
    try:
        return tuple(PressKeys(keys=tuple(chord.split("+")) if len(chord) > 1 else (chord,)) for chord in said.split())
    except (ValidationError, ValueError):
        return (TypeText(text=said),)


def _tab(given: Json, tabs: list[Any]) -> int:
    page = given.get("page_id")
    if isinstance(page, int):
        return page
    wanted = str(given.get("tab_id"))
    for index, tab in enumerate(tabs):
        said = as_object(tab)
        if str(said.get("tab_id") or said.get("target_id") or "").endswith(wanted):
            return index
    raise NoCounterpart(f"no tab {wanted} is known")


def _finish(given: Json) -> Finish:
    answer = str(given.get("text") or given.get("data") or "")
    return Finish(status="success" if given.get("success", True) else "failure", answer=answer)
