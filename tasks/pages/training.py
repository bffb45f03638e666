"""Random Chromium pages that moonhand-nano learns from, as screens with questions.

They share next to nothing with the evaluation pages but the browser and the measuring: other layouts, typefaces, icons
and wordings, and a few words in a hundred alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress

from ...envs import BrowserConfig, BrowserEnv, Size
from ..screens.questions import questions
from ..screens.samples import Question, Screen, save_samples
from ..screens.texts import any_text, entry_text, link_text, menu_text, place_text
from ..vocabulary import ICON_WORDS, KIND_NAMES
from .blocks import Blocks
from .shown import Markup, Shown, show
from .training_look import draw_training_look

LARGEST_PX = Size(1280, 800)
NUM_QUESTIONS = 24  # asked of a page


def render_training_pages(
    seeds: Iterable[int], *, num_questions: int = NUM_QUESTIONS, executable: str | None = None
) -> Iterator[tuple[Screen, list[Question]]]:
    """For each seed its page as Chromium shows it, with questions whose answers are on it or are to refuse.

    Nothing half hidden, cut off, or behind an open dialog is a control.
    """
    config = BrowserConfig(url="about:blank", viewport=LARGEST_PX, executable=executable)
    with BrowserEnv(config) as env:
        for seed in seeds:
            shown = show(env, training_page(seed))
            screen = Screen(shown.pixels_HW3, tuple(control for _, control in shown.marked), shown.words)
            asked = questions(Random(f"questions of training page {seed}"), screen, num_questions)
            yield screen, [question for question in asked if _is_clear(shown, question)]


def _is_clear(shown: Shown, question: Question) -> bool:
    """Whether what is cut off, behind a dialog, or a mere picture leaves the question with its one answer."""
    usable = {mark for mark, _ in shown.marked}
    hidden = [mark for mark in shown.partly if mark not in usable]
    said = question.instruction.lower()
    match question.asked:
        case "icon":
            return question.control is not None and shown.icons.count(question.control.label) == 1
        case "kind" | "position":
            return question.control is not None and question.control.kind not in {mark.kind for mark in hidden}
        case "text" | "label":
            label = "" if question.control is None else question.control.label.lower()
            pictures = {word for icon in shown.icons for word in (icon, *ICON_WORDS[icon])}
            return label not in {mark.label.lower() for mark in hidden} | pictures
        case "nothing":
            written = " ".join(word.text for word in shown.words)
            cut = [text.lower() for text in shown.texts if " ".join(text.split()) not in written]
            pictures = [word for icon in shown.icons for word in ICON_WORDS[icon]]
            kinds = [name for mark in hidden for name in KIND_NAMES[mark.kind] if mark.kind not in ("text", "option")]
            return not any(name in said for name in (*cut, *pictures, *kinds))
        case "list":
            return not hidden
        case "read" | "task":
            return True


def training_page(seed: int) -> Markup:
    """The page of this seed: the same HTML on every machine."""
    rng = Random(f"training page {seed}")
    look = draw_training_look(rng)
    page = Blocks(rng, look)
    modal = rng.random() < 0.12
    body = _frame(page, rng)
    if modal:
        body = f"<div data-behind>{body}</div>{_dialog(page, rng)}"
    elif rng.random() < 0.1:
        body += _open_menu(page, rng)
    html = f"<!DOCTYPE html><html><head><meta charset=utf-8><style>{look.css}</style></head><body>{body}</body></html>"
    return Markup(html=html, width_px=look.width_px, height_px=look.height_px, marks=tuple(page.marks))


def _frame(page: Blocks, rng: Random) -> str:
    """The whole page: bars at the top, at the sides and at the foot, and blocks between."""
    look = page.look
    top = _header(page, rng) if rng.random() < 0.7 else ""
    if rng.random() < 0.2:
        top = _menu_bar(page, rng) + top
    foot = _footer(page, rng) if rng.random() < 0.4 else ""
    left = _side(page, rng) if rng.random() < 0.35 and look.width_px > 520 else ""
    right = _side(page, rng) if rng.random() < 0.12 and look.width_px > 760 else ""
    trail = _trail(page, rng) if rng.random() < 0.15 else ""
    pad_px = rng.randint(8, 32)
    columns = rng.choice((1, 1, 2, 2, 3)) if look.width_px > 800 else rng.choice((1, 1, 1, 2))
    narrow = "max-width:720px;margin:0 auto;" if columns == 1 and rng.random() < 0.4 else ""
    space_px = rng.randint(10, 34)
    num_blocks = look.height_px // rng.randint(70, 150)
    stacks: list[str] = []
    for _ in range(columns):
        boxed = rng.random() < 0.35
        css = f"{look.card_css};padding:{rng.randint(8, 22)}px" if boxed else ""
        blocks = [f"<section style='{css}'>{page.block()}</section>" for _ in range(max(1, num_blocks))]
        share = rng.choice((1, 1, 2))
        stacks.append(
            f"<div style='flex:{share} 1 0;min-width:0;overflow:hidden;display:flex;flex-direction:column;"
            f"gap:{space_px}px'>"
            f"{''.join(blocks)}</div>"
        )
    main = (
        f"<main style='flex:1;min-width:0;overflow:hidden;padding:{pad_px}px'><div style='{narrow}'>{trail}"
        f"<div style='display:flex;gap:{space_px}px;align-items:flex-start'>{''.join(stacks)}</div></div></main>"
    )
    return (
        f"<div style='height:{look.height_px}px;display:flex;flex-direction:column'>{top}"
        f"<div style='flex:1;min-height:0;display:flex'>{left}{main}{right}</div>{foot}</div>"
    )


def _header(page: Blocks, rng: Random) -> str:
    look = page.look
    fill = rng.choice((look.page, look.raised, look.accent, "#16181d"))
    color = {look.accent: look.on_accent, "#16181d": "#f4f4f4"}.get(fill, look.ink)
    brand = page.texts.brand()
    name = page.text(brand, style=f"font-weight:700;font-size:{rng.choice((1.1, 1.3, 1.5))}em;white-space:nowrap")
    if rng.random() < 0.4:
        name = page.icon(look.font_px + 6) + name
    links = "".join(
        f"<a{page.mark('link', label)} style='color:inherit;white-space:nowrap'>{escape(label)}</a>"
        for label in (page.texts.word() for _ in range(rng.randint(0, 1 + look.width_px // 190)))
    )
    end = "".join(page.icon(look.font_px + rng.randint(2, 9)) for _ in range(rng.choice((0, 0, 1, 2, 3, 4))))
    if rng.random() < 0.4:
        end += page.button()
    entry = page.search_bar() if rng.random() < 0.3 and look.width_px > 700 else ""
    height_px = look.line_px + rng.randint(12, 40)
    return (
        f"<header style='flex:none;height:{height_px}px;display:flex;align-items:center;gap:{rng.randint(10, 26)}px;"
        f"padding:0 {rng.randint(8, 30)}px;background:{fill};color:{color};overflow:hidden;"
        f"border-bottom:{rng.choice((0, 1))}px solid {look.border}'>{name}{links}"
        f"<div style='flex:1'></div><div style='color:{look.ink}'>{entry}</div>{end}</header>"
    )


def _menu_bar(page: Blocks, rng: Random) -> str:
    names = "".join(
        f"<span{page.mark('menu', label)} style='padding:2px 9px;white-space:nowrap'>{escape(label)}</span>"
        for label in (page.texts.once(menu_text) for _ in range(rng.randint(3, 8)))
    )
    return (
        f"<div style='flex:none;display:flex;overflow:hidden;background:{page.look.raised};border-bottom:1px "
        f"solid {page.look.border}'>{names}</div>"
    )


def _side(page: Blocks, rng: Random) -> str:
    look = page.look
    rows: list[str] = []
    pictured = rng.random() < 0.5
    active = rng.randint(0, 8)
    for at in range(rng.randint(4, 14)):
        if at and rng.random() < 0.12:
            rows.append(
                page.text(
                    page.texts.heading(),
                    tag="div",
                    style=f"color:{look.muted};font-size:.85em;margin-top:10px;white-space:nowrap",
                )
            )
        label = page.texts.once(rng.choice((place_text, link_text, any_text)))
        picture = (
            f"<span style='flex:none;width:{look.font_px}px;height:{look.font_px}px;border-radius:3px;"
            f"background:{look.paint()}'></span>"
        )
        paint = f"background:{look.accent};color:{look.on_accent}" if at == active else ""
        rows.append(
            f"<div{page.mark(rng.choice(('link', 'option')), label)} style='display:flex;gap:8px;align-items:center;"
            f"padding:{look.gap_px // 3}px 10px;border-radius:{look.radius_px}px;white-space:nowrap;{paint}'>"
            f"{picture if pictured else ''}{escape(label)}</div>"
        )
    width_px = rng.randint(150, min(270, look.width_px // 3))
    return (
        f"<aside style='flex:none;width:{width_px}px;padding:{rng.randint(4, 16)}px;overflow:hidden;"
        f"background:{look.raised};"
        f"border-right:1px solid {look.border};display:flex;flex-direction:column;gap:{rng.randint(0, 6)}px'>"
        f"{''.join(rows)}</aside>"
    )


def _trail(page: Blocks, rng: Random) -> str:
    between = f"<span style='color:{page.look.muted}'>{rng.choice(('/', '&rsaquo;', '&gt;'))}</span>"
    return (
        "<div style='display:flex;gap:8px;margin-bottom:10px'>"
        f"{between.join(page.link() for _ in range(rng.randint(2, 4)))}</div>"
    )


def _footer(page: Blocks, rng: Random) -> str:
    look = page.look
    inner = rng.choice((page.link_list, page.link_list, page.columns))() if rng.random() < 0.8 else page.button_row()
    return (
        f"<footer style='flex:none;overflow:hidden;max-height:{look.height_px // 4}px;padding:{rng.randint(4, 16)}"
        "px 14px;"
        f"background:{look.raised};border-top:1px solid {look.border}'>{inner}</footer>"
    )


def _dialog(page: Blocks, rng: Random) -> str:
    look = page.look
    title = page.text(page.texts.heading(), tag="h2", style="font-size:1.25em")
    close = page.icon(look.font_px + 2) if rng.random() < 0.6 else ""
    inner = rng.choice((page.form, page.choices, page.rows, lambda: f"<p>{escape(page.texts.sentence())}</p>"))()
    width_px = rng.randint(260, min(560, look.width_px - 60))
    buttons = "" if inner.count("<button") else page.button_row()
    left = rng.choice(("50%", "50%", f"calc(50% + {rng.randint(-60, 60)}px)"))
    return (
        "<div style='position:fixed;inset:0;"
        f"background:rgba(0,0,0,{rng.uniform(0.15, 0.35 if look.dark else 0.6):.2f});pointer-events:none'></div>"
        f"<div style='position:fixed;left:{left};top:50%;transform:translate(-50%,-50%);width:{width_px}px;"
        "max-height:94%;overflow:hidden;"
        f"background:{look.page};border:1px solid {look.border};border-radius:{look.radius_px}px;"
        f"padding:{rng.randint(12, 24)}px;"
        f"display:flex;flex-direction:column;gap:{look.gap_px}px'><div style='display:flex;"
        f"justify-content:space-between'>{title}{close}</div>"
        f"{inner}{buttons}</div>"
    )


def _open_menu(page: Blocks, rng: Random) -> str:
    """A menu that hangs over the page."""
    look = page.look
    rows = "".join(
        f"<div{page.mark('option', label)} style='padding:{rng.randint(2, 5)}px 14px;white-space:nowrap'>"
        f"{escape(label)}</div>"
        for label in (page.texts.once(entry_text) for _ in range(rng.randint(3, 9)))
    )
    left_px, top_px = rng.randint(0, look.width_px * 2 // 3), rng.randint(0, look.height_px // 2)
    return (
        f"<div style='position:fixed;left:{left_px}px;top:{top_px}px;min-width:140px;padding:4px 0;"
        f"background:{look.raised};"
        f"border:1px solid {look.border};border-radius:{look.radius_px}px;box-shadow:0 4px 14px rgba(0,0,0,.35)'>"
        f"{rows}</div>"
    )


def command(
    out: Annotated[Path, typer.Option(help="Folder to write the samples to.")],
    pages: Annotated[int, typer.Option(help="How many.", min=1)] = 1000,
    first_seed: Annotated[int, typer.Option(help="Seed of the first.", min=0)] = 0,
) -> None:
    """Render training pages."""
    shown = render_training_pages(range(first_seed, first_seed + pages), num_questions=40)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), transient=True) as progress:
        count = save_samples(out, progress.track(shown, total=pages, description="pages"))
    typer.echo(f"{count} pages in {out}")


if __name__ == "__main__":
    typer.run(command)
