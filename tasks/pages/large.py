"""The large evaluation pages: shop, news, mail, settings, dashboard, documentation and the like, 640x480 to 1280x800.

Pure: a page follows from its seed alone. Nothing is shared with the pages that training sees but the browser, the
measuring and how colours are mixed: layouts, style sheet, typefaces, icons, texts and wordings are others.
"""

from __future__ import annotations

from html import escape
from random import Random

from . import texts as say
from .icons import HELD_OUT_ICONS
from .large_look import draw_large_look
from .parts import LargeParts
from .shown import Markup


def large_page(seed: int) -> Markup:
    """The page of this seed: the same HTML on every machine."""
    rng = Random(f"large page {seed}")
    look = draw_large_look(rng)
    page = LargeParts(rng, look)
    draw = rng.choice((shop, article, mail, settings, dashboard, register, manual, booking, results, studio, player,
                       board, diary))  # fmt: skip
    body = f"<div class=page>{draw(page)}</div>"
    if rng.random() < 0.06:
        body = f"<div data-behind>{body}</div>{dialog(page)}"
    html = f"<!DOCTYPE html><html><head><meta charset=utf-8><style>{look.css}</style></head><body>{body}</body></html>"
    return Markup(html=html, width_px=look.width_px, height_px=look.height_px, marks=tuple(page.marks))


def dialog(page: LargeParts) -> str:
    """A question over everything else, with a box to tick and a way out."""
    title, stay, leave = page.one(say.DIALOGS), page.one(say.REFUSALS), page.one(say.ASSENTS)
    page.used.discard("icon close")
    return (
        f"<div class=veil></div><div class='dialog col' style='width:{page.rng.randint(400, 500)}px'>"
        f"<div class=row style='width:100%'>{page.text(title, tag='h2')}<span class=end></span>"
        f"{page.icon('close')}</div>"
        f"<p>{page.prose(2)}</p>{page.tick('checkbox', page.one(say.PLEDGES))}"
        f"<div class=row style='align-self:flex-end'>{page.button(stay)}{page.button(leave, main=True)}</div></div>"
    )


def shop(page: LargeParts) -> str:
    rng = page.rng
    top = page.header(page.take(say.SHELVES, 6), ("user", "heart", "cart"), seek=True)
    side = ""
    if page.wide or rng.random() < 0.3:
        ticks = "".join(page.tick("checkbox", label) for label in page.take(say.MATERIALS, rng.randint(4, 8)))
        weight = page.one(say.KNOBS)
        heavy = page.mark("slider", weight)
        name = f"<h3 data-part={page.last}>{escape(weight)}</h3>"
        side = (
            f"<div class='side col' style='width:200px'>{page.text(page.one(say.TITLES), tag='h3')}{ticks}"
            f"{name}<input type=range{heavy} style='width:150px'></div>"
        )
    cards: list[str] = []
    action = page.one(say.SHOP_ACTIONS)
    for name in page.take(say.GOODS, rng.randint(4, 12)):
        buy = page.button(action) if rng.random() < 0.7 else ""
        cards.append(
            f"<div class='sheet col' style='padding:10px;gap:5px'>{page.picture(rng.randint(60, 100))}"
            f"{page.link(name)}"
            f"<b>{page.money()}</b>{buy}</div>"
        )
    order = page.choice(page.one(say.SORTINGS), ("Cheapest", "Heaviest", "Newest arrivals"))
    tools = (
        f"<div class=row>{page.text(page.one(say.SHELVES), tag='h1')}<span class=end></span>"
        f"{page.icons(('filter', 'grid'))}<div style='width:170px'>{order}</div></div>"
    )
    grid = (
        "<div style='display:grid;gap:14px;margin-top:12px;"
        f"grid-template-columns:repeat(auto-fill,minmax({rng.randint(150, 200)}px,1fr))'>"
    )
    return (
        f"{top}<div class=body>{side}<div class=main-part>{tools}{grid}{''.join(cards)}</div></div></div>"
        f"{page.footer()}"
    )


def article(page: LargeParts) -> str:
    rng = page.rng
    top = page.header(page.take(say.SECTIONS, 7), ("search", "bell"))
    headline, author = page.one(say.HEADLINES), page.one(say.AUTHORS)
    words = (
        f"<p style='margin:9px 0'>{page.prose(rng.randint(2, 4))} {page.link(more)} {page.prose(rng.randint(1, 3))}</p>"
        for more in page.take(say.MORE, rng.randint(2, 4))
    )
    body = (
        f"{page.text(headline, tag='h1')}<div class='row pale' style='margin:8px 0'>By {page.link(author)}<span>"
        f"{page.day()}</span>"
        f"<span class=end></span>{page.icons(rng.sample(('share', 'bookmark', 'print', 'mail', 'link'), 3))}</div>"
        f"{page.picture(rng.randint(90, 190))}{''.join(words)}"
    )
    side = ""
    if page.wide:
        most = "".join(
            f"<div class=rule style='padding:7px 0'>{page.link(text, 'most read', 'white-space:normal')}</div>"
            for text in page.take(say.HEADLINES, 5)
        )
        side = (
            f"<div class=side style='width:290px;border:0'>{page.text(page.one(say.TITLES), tag='h2')}{most}"
            f"<div class='sheet col' style='margin-top:16px'>{page.text(page.one(say.TITLES), tag='h3')}"
            f"{page.entry(page.one(say.ENTRIES))}"
            f"{page.button(page.one(say.HELPS), main=True)}</div></div>"
        )
    return f"{top}<div class=body><div class=main-part>{body}</div>{side}</div>"


def mail(page: LargeParts) -> str:
    rng = page.rng
    write, *actions = page.take(say.MAIL_ACTIONS, 4)
    boxes = page.take(say.MAILBOXES, rng.randint(5, 9))
    pictures = ("mail", "folder", "flag", "clock", "trash") if rng.random() < 0.6 else ()
    side = (
        f"<div class='side col' style='width:{rng.randint(165, 210)}px;align-items:stretch;gap:3px'>"
        f"{page.button(write, main=True, icon='pencil')}"
        f"<div style='height:8px'></div>{page.entries(boxes, 'option', 'mailboxes', pictures)}</div>"
    )
    tools = (
        f"<div class='row rule' style='padding:4px 0 8px'><input type=checkbox{page.mark('checkbox', '')} "
        "style='width:16px;height:16px'>"
        f"{page.icons(rng.sample(('trash', 'folder', 'refresh', 'flag', 'more', 'print', 'clock'), 4))}"
        f"{''.join(page.button(label) for label in actions[: page.look.width_px // 400])}</div>"
    )
    rows: list[str] = []
    for subject in page.take(say.SUBJECTS, rng.randint(7, 18)):
        author = page.take(say.AUTHORS, 1)
        who = page.text(author[0], style="font-weight:600;width:11em;flex:none", kind="text") if author else ""
        preview = f"<span class='pale one grow'>{page.prose(1)}</span>" if page.wide else "<span class=grow></span>"
        rows.append(
            "<div class='row rule' style='padding:7px 0'>"
            f"{who}{page.text(subject, kind='option', style='white-space:nowrap')}{preview}"
            f"<span class='pale fine' style='flex:none'>{page.day()}</span></div>"
        )
    top = page.header((), ("menu", "question", "settings", "user"), seek=True)
    return f"{top}<div class=body>{side}<div class=main-part style='padding-top:8px'>{tools}{''.join(rows)}</div></div>"


def settings(page: LargeParts) -> str:
    rng = page.rng
    pages = page.take(say.PREFERENCE_PAGES, rng.randint(4, 9))
    title, tabbed = rng.choice(pages), rng.random() < 0.4 or not page.wide
    parts: list[str] = []
    for label in page.take(say.PREFERENCES, rng.randint(4, 9)):
        row = rng.random()
        if row < 0.5:
            parts.append(
                f"<div>{page.tick('switch', label)}<div class='pale fine' style='margin-left:48px'>"
                f"{page.prose(1)}</div></div>"
            )
        elif row < 0.75:
            parts.append(page.tick("checkbox", label))
        else:
            parts.append(f"<div style='width:300px'>{page.choice(label, rng.sample(say.CHOICES, 3))}</div>")
    group = "".join(page.tick("radio", label, "mood") for label in page.take(say.CHOICES, rng.randint(3, 4)))
    parts.insert(
        rng.randrange(len(parts)), f"{page.text(page.one(say.KNOBS), tag='h3')}<div class='row wrap'>{group}</div>"
    )
    if rng.random() < 0.6:
        parts.insert(rng.randrange(len(parts)), page.slider(page.one(say.KNOBS)))
    save, undo = page.take(say.FORM_ACTIONS, 2)
    buttons = f"<div class=row>{page.button(save, main=True)}{page.button(undo)}</div>"
    inner = f"<div class=col>{''.join(parts)}{buttons}</div>"
    top = page.header(page.take(say.HELPS, 3), ("search", "user"))
    if tabbed:
        shown = pages[: page.look.width_px // 130]
        return (
            f"{top}<div class=body><div class=main-part>{page.tabs(shown)}<div style='height:14px'></div>"
            f"{inner}</div></div>"
        )
    pictures = ("moon", "bell", "lock", "globe", "print", "image", "clock") if rng.random() < 0.5 else ()
    side = f"<div class=side style='width:200px'>{page.entries(pages, 'option', 'settings', pictures)}</div>"
    heading = f"<h1 style='margin-bottom:12px'>{escape(title)}</h1>"
    return f"{top}<div class=body>{side}<div class=main-part>{heading}{inner}</div></div>"


def dashboard(page: LargeParts) -> str:
    rng = page.rng
    side = ""
    if page.wide:
        pictures = ("home", "grid", "user", "calendar", "mail", "settings", "folder")
        side = (
            "<div class=side style='width:190px'>"
            f"{page.entries(page.take(say.SHELVES, rng.randint(5, 8)), 'link', 'side bar', pictures)}</div>"
        )
    tiles = "".join(
        f"<div class='sheet grow'><div class='pale one'>{escape(name)}</div>"
        f"{page.text(f'{rng.randint(11, 98)},{rng.randint(100, 999)}', tag='div', style='font-size:1.8em')}"
        f"<span class=fine>{rng.choice('+-')}{rng.randint(1, 30)}.{rng.randint(0, 9)} %</span></div>"
        for name in page.take(say.FIGURES, 4 if page.wide else 3)
    )
    bars = "".join(
        f"<rect x={at * 20 + 3} y={100 - height} width=14 height={height} fill={page.look.accent} />"
        for at, height in enumerate(rng.choices(range(15, 98), k=16))
    )
    chart = (
        f"<div class='sheet grow'><div class=row>{page.text(page.one(say.FIGURES), tag='h2')}<span class=end>"
        f"</span>{page.icons(('download', 'more'))}</div>"
        f"<svg viewBox='0 0 320 100' preserveAspectRatio=none style='width:100%;height:{rng.randint(110, 190)}"
        f"px;margin-top:8px'>{bars}</svg></div>"
    )
    recent = "".join(
        f"<div class='row rule' style='padding:6px 0'>{page.link(name)}<span class='end pale'>{page.day()}</span></div>"
        for name in page.take(say.VESSELS, 6)
    )
    lists = f"<div class='sheet grow'>{page.text(page.one(say.FIGURES), tag='h2')}{recent}</div>"
    spans = "".join(
        f"<span class=chip{page.mark('option', label, 'chips')}>{escape(label)}</span>"
        for label in page.take(say.CHOICES, 3)
    )
    head = (
        f"<div class='row wrap'>{page.text(page.one(say.PORTS), tag='h1')}{spans}<span class=end></span>"
        f"{page.button(page.one(say.TABLE_ACTIONS), main=True, icon='plus')}</div>"
    )
    top = page.header((), ("search", "bell", "question", "user"))
    return (
        f"{top}<div class=body>{side}<div class='main-part col' style='align-items:stretch'>"
        f"{head}<div class=row>{tiles}</div>"
        f"<div class=row style='align-items:stretch'>{chart}{lists}</div></div></div>"
    )


def register(page: LargeParts) -> str:
    """A table with what can be done to it."""
    rng = page.rng
    columns = page.take(say.COLUMN_NAMES, rng.randint(3, min(6, page.look.width_px // 170)))
    head = "".join(f"<th{page.mark('cell', label)}>{escape(label)}</th>" for label in columns)
    ports, states = page.take(say.PORTS, 16), say.CONDITIONS
    rows: list[str] = []
    for vessel in page.take(say.VESSELS, rng.randint(7, 16)):
        cells = [f"<td>{page.link(vessel)}</td>"]
        for at in range(1, len(columns)):
            if at == 1 and ports:
                label = ports.pop()
                cells.append(f"<td{page.mark('cell', label)}>{escape(label)}</td>")
            elif at == 2:
                cells.append(f"<td>{rng.choice(states)}</td>")
            else:
                label = f"{rng.randint(10, 99)}.{rng.randint(100, 999)}"
                cells.append(f"<td{page.mark('cell', label)}>{label}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    actions = page.take(say.TABLE_ACTIONS, 3)[: page.look.width_px // 300]
    tools = (
        "<div class='row wrap' style='margin:10px 0'>"
        f"{page.seek(170)}{page.icons(('filter', 'refresh', 'print'))}<span class=end></span>"
        f"{''.join(page.button(label, main=at == 0) for at, label in enumerate(actions))}</div>"
    )
    first = rng.randint(2, 60)
    pager = "".join(
        f"<a class=button{page.mark('link', str(first + at), 'pager')} style='padding:3px 9px'>{first + at}</a>"
        for at in range(5)
    )
    top = page.header(page.take(say.SHELVES, 5), ("settings", "user"))
    return (
        f"{top}<div class=body><div class=main-part>{page.text(page.one(say.PREFERENCE_PAGES), tag='h1')}{tools}"
        f"<table><tr>{head}</tr>{''.join(rows)}</table></div></div><div class='row top' style='border:0;"
        f"justify-content:center;gap:6px'>{pager}</div>"
    )


def manual(page: LargeParts) -> str:
    """Documentation with its contents at the left."""
    rng = page.rng
    chapters = page.take(say.CHAPTERS, rng.randint(8, 14))
    side = f"<div class=side style='width:200px'>{page.entries(chapters, 'link', 'side bar')}</div>"
    trail = " <span class=pale>/</span> ".join(page.link(label) for label in page.take(say.SHELVES, 2))
    parts: list[str] = []
    for heading in page.take(say.CHAPTERS, rng.randint(2, 3)):
        code = "\n".join(escape(line) for line in rng.sample(say.CODE, rng.randint(2, 4)))
        parts.append(
            f"{page.text(heading, tag='h2', style='margin-top:10px')}<p>{page.prose(3)}</p>"
            f"<div class=code style='margin:8px 0'>{code}</div>"
        )
    notes = ""
    if page.wide:
        links = "".join(f"<div>{page.link(label)}</div>" for label in page.take(say.ENTRIES, 5))
        notes = f"<div class=side style='width:190px;border:0'>{page.text(page.one(say.TITLES), tag='h3')}{links}</div>"
    top = page.header(page.take(say.HELPS, 3), ("search", "moon", "globe"), seek=rng.random() < 0.4)
    body = (
        f"<div>{trail}</div>{page.text(page.one(say.CHAPTERS), tag='h1', style='margin:8px 0')}<p>"
        f"{page.prose(2)}</p>{''.join(parts)}"
    )
    return f"{top}<div class=body>{side}<div class=main-part>{body}</div>{notes}</div>"


def booking(page: LargeParts) -> str:
    """A long form in one column or two."""
    rng = page.rng
    columns = 2 if page.wide or rng.random() < 0.4 else 1
    typed = iter(page.take(say.PORTS, 4))
    cells = [
        page.entry(label, value=next(typed, "") if rng.random() < 0.25 else "")
        for label in page.take(say.ENTRIES, rng.randint(4, 8))
    ]
    cells += [page.choice(label, rng.sample(say.BERTHS, 3)) for label in page.take(say.COLUMN_NAMES, rng.randint(1, 2))]
    grid = (
        f"<div style='display:grid;gap:10px 20px;grid-template-columns:repeat({columns},1fr);width:100%'>"
        f"{''.join(cells)}</div>"
    )
    radios = "".join(page.tick("radio", label, "berth") for label in page.take(say.BERTHS, rng.randint(2, 4)))
    ticks = "".join(page.tick("checkbox", label) for label in page.take(say.PLEDGES, rng.randint(2, 5)))
    go, back, *_ = page.take(say.FORM_ACTIONS, 2)
    title, step = page.one(say.HELPS), page.take(say.FORM_ACTIONS, 3)
    steps = page.tabs(step) if rng.random() < 0.3 else ""
    inner = (
        f"{page.text(title, tag='h1')}{steps}{grid}<div class='row wrap'>{radios}</div><div class='row wrap'>"
        f"{ticks}</div>"
        f"<div class=row>{page.button(go, main=True)}{page.button(back)}{page.link(page.one(say.MORE))}</div>"
    )
    width = f"max-width:{rng.choice((620, 760, 1000))}px;margin:0 auto"
    top = page.header(page.take(say.FOOTERS, 3), ("question", "user", "globe"))
    return f"{top}<div class=body><div class=main-part><div class='sheet col' style='{width}'>{inner}</div></div></div>"


def results(page: LargeParts) -> str:
    rng = page.rng
    query = page.one(say.QUERIES)
    brand = page.text(page.one(say.BRANDS), style="font-size:1.4em;font-weight:700")
    field = (
        f"<input class=entry type=search{page.mark('field', '')} value='{query}' "
        f"style='width:{page.look.width_px // 2}px'>"
    )
    top = (
        f"<div class='row top' style='border:0'>{brand}{field}{page.icons(('microphone', 'camera', 'search'))}"
        f"<span class=end></span>{page.icons(('grid', 'user'))}</div>"
    )
    found = "".join(
        f"<div style='margin:12px 0'><div class='pale fine'>{name.split()[0].lower().strip(',')}.example "
        f"&rsaquo; {rng.randint(100, 999)}</div>"
        f"<div style='font-size:1.25em'>{page.link(name, 'results')}</div><div>{page.prose(2)}</div></div>"
        for name in page.take(say.FINDINGS, rng.randint(4, 7))
    )
    side = ""
    if page.wide:
        facts = "".join(
            f"<div class=row><b>{escape(name)}</b>{page.text(page.one(say.PORTS))}</div>"
            for name in page.take(say.COLUMN_NAMES, 3)
        )
        side = (
            "<div class=side style='width:300px;border:0'><div class='sheet col'>"
            f"{page.picture(110)}{page.text(page.one(say.FINDINGS), tag='h2')}<p>{page.prose(2)}</p>"
            f"{facts}</div></div>"
        )
    labels = page.take(say.SEARCH_TABS, min(6, page.look.width_px // 130))
    return (
        f"{top}<div style='padding:0 18px'>{page.tabs(labels)}</div><div class=body><div class=main-part "
        f"style='padding-top:2px'>{found}</div>{side}</div>"
    )


def studio(page: LargeParts) -> str:
    """A drawing program: menus, tools, a picture, knobs."""
    rng = page.rng
    menus = page.take(say.MENUS, min(8, page.look.width_px // 100))
    bar = "".join(
        f"<span{page.mark('menu', label, 'menu bar')} style='padding:3px 11px'>{escape(label)}</span>"
        for label in menus
    )
    tools = page.icons(rng.sample(tuple(HELD_OUT_ICONS), rng.randint(6, 10)), "tools")
    upright = rng.random() < 0.5
    rail = f"<div class='side col' style='width:auto;padding:8px;align-items:center'>{tools}</div>" if upright else ""
    band = "" if upright else f"<div class='row top' style='padding:4px 12px'>{tools}</div>"
    knobs = "".join(page.slider(label) for label in page.take(say.KNOBS, rng.randint(3, 6)))
    layers = "".join(page.tick("checkbox", label) for label in page.take(say.MENUS, 3))
    panel = (
        f"<div class='side col' style='width:{rng.randint(270, 310)}px;border:0'>"
        f"{page.tabs(page.take(say.MATERIALS, 2))}{knobs}{layers}"
        f"{page.button(page.one(say.MENU_LINES), main=True)}</div>"
    )
    art = (
        "<div class=main-part style='display:flex'><div style='flex:1'>"
        f"{page.picture(page.look.height_px - rng.randint(170, 230))}</div></div>"
    )
    opened = ""
    if rng.random() < 0.35:
        rows = "".join(
            f"<div{page.mark('option', label, 'open menu')}>{escape(label)}</div>"
            for label in page.take(say.MENU_LINES, rng.randint(4, 8))
        )
        opened = (
            f"<div class=menu style='left:{rng.choice((8, 80, 150))}px;top:{page.look.font_px * 2 + 2}px'>{rows}</div>"
        )
    state = (
        f"<div class='row top fine pale' style='padding:3px 12px'><span>{rng.randint(10, 400)} %</span>"
        f"{page.text(page.one(say.CHOICES))}</div>"
    )
    return (
        f"<div class='row rule' style='gap:2px;flex:none'>{bar}</div>{band}<div class=body>"
        f"{rail}{art}{panel}</div>{state}{opened}"
    )


def player(page: LargeParts) -> str:
    """Music: a list of tunes over the controls."""
    rng = page.rng
    rows = "".join(
        f"<tr><td class=pale style='width:40px'>{at + 1}</td><td>{page.text(tune, kind='option')}</td>"
        f"<td class=pale>{rng.randint(2, 9)}:{rng.randint(10, 59)}</td></tr>"
        for at, tune in enumerate(page.take(say.TUNES, rng.randint(6, 12)))
    )
    mixes = page.entries(
        page.take(say.MIXES, rng.randint(5, 9)),
        "link",
        "side bar",
        ("folder", "heart", "star") if rng.random() < 0.5 else (),
    )
    title = page.text(page.one(say.TITLES), tag="h3")
    side = f"<div class=side style='width:{rng.randint(170, 220)}px'>{title}{mixes}</div>"
    head = (
        f"<div class=row><div style='width:110px;flex:none'>{page.picture(110)}</div><div class=col>"
        f"{page.text(page.one(say.TUNES), tag='h1')}"
        f"{page.link(page.one(say.AUTHORS))}<div class=row>{page.button(page.one(say.SHOP_ACTIONS), main=True)}"
        f"{page.icons(('heart', 'download', 'more'))}</div></div></div>"
    )
    controls = (
        "<div class='row band' style='justify-content:center'>"
        f"{page.icons(('refresh', 'play', 'star', 'share'))}{page.slider(page.one(say.KNOBS))}</div>"
    )
    top = page.header(page.take(say.SECTIONS, 3), ("bell", "user"), seek=rng.random() < 0.5)
    return (
        f"{top}<div class=body>{side}<div class=main-part>{head}<table style='margin-top:10px'>{rows}</table>"
        f"</div></div>{controls}"
    )


def board(page: LargeParts) -> str:
    """Cards in lanes."""
    rng = page.rng
    lanes: list[str] = []
    for lane in page.take(say.LANES, max(2, min(4, page.look.width_px // 240))):
        cards = "".join(
            f"<div class=sheet style='padding:10px;width:100%'>{page.text(card, kind='option', tag='div')}"
            f"<div class='row pale fine'><span>{page.day()}</span><span class=end>"
            f"{rng.randint(1, 9)}/{rng.randint(10, 19)}</span></div></div>"
            for card in page.take(say.CARDS, rng.randint(2, 4))
        )
        more = page.link(f"Add to {lane.lower()}") if rng.random() < 0.6 else ""
        lanes.append(f"<div class='col grow'>{page.text(lane, tag='h3')}{cards}{more}</div>")
    people = "".join(
        f"<span class=chip{page.mark('option', name, 'chips')}>{escape(name)}</span>"
        for name in page.take(say.AUTHORS, page.look.width_px // 320)
    )
    tools = (
        f"<div class='row wrap' style='margin-bottom:12px'>{page.text(page.one(say.PORTS), tag='h1')}"
        f"{people}<span class=end></span>{page.icons(('filter', 'lock', 'more'))}</div>"
    )
    top = page.header(page.take(say.HELPS, 3), ("search", "bell", "plus"))
    return (
        f"{top}<div class=body><div class=main-part>{tools}<div class=row style='align-items:flex-start'>"
        f"{''.join(lanes)}</div></div></div>"
    )


def diary(page: LargeParts) -> str:
    """A month with what happens in it."""
    rng = page.rng
    names = "".join(
        f"<div class='pale fine'>{name}</div>" for name in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    )
    events = dict(zip(rng.sample(range(1, 29), 8), page.take(say.EVENTS, 8), strict=False))
    row_px = max(44, (page.look.height_px - 190) // 5)
    days: list[str] = ["<div></div>"] * rng.randint(0, 6)
    for day in range(1, rng.randint(29, 32)):
        event = events.get(day, "")
        inner = (
            f"<div>{page.text(event, kind='option', style='font-size:.9em;white-space:nowrap')}</div>" if event else ""
        )
        days.append(
            f"<div class=sheet style='padding:3px 6px;height:{row_px}px;overflow:hidden;border-radius:0'>"
            f"{day}{inner}</div>"
        )
    grid = f"<div style='display:grid;grid-template-columns:repeat(7,1fr)'>{names}{''.join(days)}</div>"
    tools = (
        "<div class=row style='margin-bottom:8px'>"
        f"{page.text(page.one(('Windfall', 'Frostmonth', 'Haymaking', 'Thaw')), tag='h1')}"
        f"{page.icons(('calendar', 'refresh'))}<span class=end></span>"
        f"{page.button(page.one(say.FORM_ACTIONS), main=True)}</div>{page.tabs(page.take(say.CHOICES, 3))}"
    )
    side = ""
    if page.wide:
        ticks = "".join(page.tick("checkbox", label) for label in page.take(say.MAILBOXES, 5))
        side = (
            f"<div class='side col' style='width:190px'>{page.text(page.one(say.TITLES), tag='h3')}{ticks}"
            f"{page.link(page.one(say.MORE))}</div>"
        )
    top = page.header(page.take(say.HELPS, 2), ("search", "print", "settings"))
    return f"{top}<div class=body>{side}<div class=main-part>{tools}{grid}</div></div>"
