"""How the large evaluation pages look: a style sheet with typefaces that training never sees."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from .small_look import FONTS, hsl, ink_on, readable

SIZES: Final = ((640, 480), (800, 600), (1024, 640), (1024, 768), (1152, 720), (1280, 720), (1280, 800))


@dataclass(frozen=True, kw_only=True)
class LargeLook:
    """Sizes in CSS px; `css` is the style sheet of the page; the colours are those it uses."""

    width_px: int
    height_px: int
    font: str
    font_px: int
    icon_px: int
    stroke: float
    solid: bool
    accent: str
    css: str


def draw_large_look(rng: Random) -> LargeLook:
    width_px, height_px = rng.choice(SIZES)
    if rng.random() < 0.4:
        width_px, height_px = rng.randint(640, 1280), rng.randint(480, 800)
    font = rng.choice(tuple(FONTS))
    font_px = rng.choice((13, 14, 14, 15, 16, 17))
    hue, brand_hue, dark = rng.random(), rng.random(), rng.random() < 0.3
    if dark:
        ground, sheet, ink, line, well = (hsl(hue, 0.12, level) for level in (0.08, 0.13, 0.92, 0.3, 0.18))
    else:
        ground, sheet, ink, line, well = (hsl(hue, 0.25, level) for level in (0.955, 0.995, 0.13, 0.8, 0.92))
    accent = hsl(brand_hue, rng.uniform(0.45, 0.85), rng.uniform(0.3, 0.5))
    link, pale = readable(brand_hue, 0.75, ground, sheet), readable(hue, 0.08, ground, sheet)
    round_px, pad_px = rng.choice((0, 3, 6, 10)), rng.randint(5, 9)
    case = rng.choice(("", "letter-spacing:.03em;"))
    css = f"""
*{{box-sizing:border-box;margin:0;padding:0}}
html{{color-scheme:{"dark" if dark else "light"}}}
body{{width:{width_px}px;height:{height_px}px;overflow:hidden;background:{ground};color:{ink};
font:{font_px}px/1.45 '{font}'}}
input,button,select,textarea{{font:inherit;color:inherit}}
a{{color:{link};text-decoration:{rng.choice(("none", "none", "underline"))};cursor:pointer}}
h1{{font-size:1.75em;line-height:1.2;font-weight:{rng.choice((400, 700))}}} h2{{font-size:1.3em;font-weight:700}}
h3{{font-size:1em;font-weight:700}}
.row{{display:flex;align-items:center;gap:{rng.randint(9, 16)}px}} .end{{margin-left:auto}} .wrap{{flex-wrap:wrap}}
.col{{display:flex;flex-direction:column;gap:{rng.randint(6, 12)}px;align-items:flex-start}} .grow{{flex:1;min-width:0}}
.one{{white-space:nowrap;overflow:hidden}} .pale{{color:{pale}}} .fine{{font-size:.88em}}
.sheet{{background:{sheet};border:1px solid {line};border-radius:{round_px}px;padding:14px}}
.top{{background:{rng.choice((sheet, ground))};border-bottom:1px solid {line};padding:10px 18px;flex:none}}
.band{{background:{accent};color:{ink_on(accent)};padding:9px 18px;flex:none}} .band a{{color:inherit}}
.button{{display:inline-flex;min-width:max-content;gap:7px;align-items:center;border:1px solid {line};
background:{sheet};padding:{pad_px}px {pad_px * 2}px;border-radius:{round_px}px;white-space:nowrap;{case}}}
.main{{background:{accent};color:{ink_on(accent)};border-color:{accent};font-weight:700}}
.entry{{border:1px solid {line};background:{well};
padding:{pad_px}px 9px;border-radius:{min(round_px, 6)}px;width:100%;outline:0;min-width:0}}
::placeholder{{color:{pale};opacity:1}}
.chip{{border:1px solid {line};border-radius:99px;padding:2px 12px;white-space:nowrap;background:{well}}}
.tabs{{display:flex;gap:4px;border-bottom:2px solid {line}}}
.tab{{padding:7px 13px;white-space:nowrap;color:{pale}}}
.tab.on{{color:{ink};font-weight:700;box-shadow:0 2px {accent}}}
.item{{padding:6px 10px;border-radius:{round_px}px;white-space:nowrap;overflow:hidden;
display:flex;gap:9px;align-items:center}}
.item.on{{background:{well};font-weight:700}}
.tick{{display:inline-flex;gap:8px;align-items:center;white-space:nowrap}}
.tick input{{width:16px;height:16px;accent-color:{accent};flex:none}}
.toggle{{width:40px;height:22px;border-radius:11px;background:{line};padding:3px;display:inline-flex;flex:none}}
.toggle.on{{background:{accent};justify-content:flex-end}}
.toggle i{{width:16px;height:16px;border-radius:8px;background:#fff}}
.icon{{display:inline-flex;padding:{rng.randint(2, 6)}px;border-radius:{round_px}px;cursor:pointer}}
table{{border-collapse:collapse;width:100%}} th{{text-align:left;color:{pale};font-weight:600}}
td,th{{padding:{rng.randint(5, 9)}px 10px;border-bottom:1px solid {line};white-space:nowrap}}
.rule{{border-bottom:1px solid {line}}} input[type=range]{{accent-color:{accent}}}
.code{{background:{well};border:1px solid {line};font-family:'Noto Sans';padding:10px;white-space:pre}}
.page{{height:{height_px}px;display:flex;flex-direction:column}} .body{{flex:1;min-height:0;display:flex}}
.side{{flex:none;overflow:hidden;padding:14px;border-right:1px solid {line}}}
.main-part{{flex:1;min-width:0;overflow:hidden;padding:16px 20px}}
.veil{{position:fixed;inset:0;background:rgba(0,0,0,.45);pointer-events:none}}
.dialog{{position:fixed;left:50%;top:46%;transform:translate(-50%,-50%);background:{sheet};border:1px solid {line};
border-radius:{round_px}px;padding:18px 20px;box-shadow:0 8px 40px rgba(0,0,0,.4)}}
.menu{{position:fixed;background:{sheet};border:1px solid {line};box-shadow:0 5px 18px rgba(0,0,0,.3);padding:5px 0}}
.menu div{{padding:5px 18px;white-space:nowrap}}
"""
    return LargeLook(
        width_px=width_px,
        height_px=height_px,
        font=font,
        font_px=font_px,
        icon_px=rng.randint(16, 26),
        stroke=rng.choice((1.5, 2)),
        solid=rng.random() < 0.3,
        accent=accent,
        css=css,
    )
