"""One line of the result: a piece of work, our speed and the peer's, and how near the machine's limit that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .measure import Paired, Samples


@dataclass(frozen=True, kw_only=True)
class Row:
    """`ours` and `peer` in `unit`; `ratio` says how many times better ours is, whichever way better lies."""

    section: str
    work: str
    unit: str
    ours: float
    peer: float | None = None
    peer_name: str | None = None
    ratio: float | None = None
    ours_spread: tuple[float, float] | None = None  # 10th and 90th percentile
    peer_spread: tuple[float, float] | None = None
    ratio_spread: tuple[float, float] | None = None
    limit: str | None = None  # what bounds it: reading, computing
    limit_share: float | None = None
    note: str = ""
    paired: Paired | None = None  # where it was timed

    def to_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "section": self.section,
            "work": self.work,
            "unit": self.unit,
            "ours": _short(self.ours),
            "peer": _short(self.peer),
            "peer_name": self.peer_name,
            "ratio": _short(self.ratio),
            "ours_p10_p90": _shorts(self.ours_spread),
            "peer_p10_p90": _shorts(self.peer_spread),
            "ratio_p10_p90": _shorts(self.ratio_spread),
            "limit": self.limit,
            "limit_share": _short(self.limit_share),
            "note": self.note,
        }
        if self.paired is not None:
            row["samples"] = {name: samples.to_json() for name, samples in self.paired.samples.items()}
            row["tried_s"] = {name: _short(seconds) for name, seconds in self.paired.tried.items()}
            row["others_cores"] = _short(self.paired.others_cores)
        return row


def timed_row(
    section: str,
    work: str,
    unit: str,
    paired: Paired,
    *,
    per_call: float = 1.0,
    peer_name: str | None = None,
    limit: tuple[str, float] | None = None,
    note: str = "",
) -> Row:
    """A row from samples named `ours` and, if there is one, `peer`.

    A `unit` that ends in /s counts `per_call` things a sample; ms is time. `limit` names what bounds the work, with
    the seconds it would take there.
    """
    is_rate = unit.endswith("/s")

    def value(seconds: float) -> float:
        return per_call / seconds if is_rate else seconds * 1e3

    def spread(samples: Samples) -> tuple[float, float]:
        ends = value(samples.p10_s), value(samples.p90_s)
        return min(ends), max(ends)

    ours, peer = paired.samples["ours"], paired.samples.get("peer")
    return Row(
        section=section,
        work=work,
        unit=unit,
        ours=value(ours.median_s),
        ours_spread=spread(ours),
        peer=None if peer is None else value(peer.median_s),
        peer_spread=None if peer is None else spread(peer),
        peer_name=peer_name,
        ratio=None if peer is None else paired.ratio("ours", "peer"),
        ratio_spread=None if peer is None else paired.ratio_spread("ours", "peer"),
        limit=None if limit is None else limit[0],
        limit_share=None if limit is None else limit[1] / ours.median_s,
        note=note,
        paired=paired,
    )


def table_cells(rows: Sequence[Row], missing: str = "-") -> list[tuple[str, ...]]:
    """Work, ours, peer, ratio, share of the limit, which peer: the cells of a table, as text."""
    cells: list[tuple[str, ...]] = []
    for row in rows:
        theirs = missing if row.peer is None else figure(row.peer)
        ratio = "-" if row.ratio is None else f"{figure(row.ratio)}x"
        if row.ratio_spread is not None:
            ratio += f" ({figure(row.ratio_spread[0])}-{figure(row.ratio_spread[1])})"
        limit = "-" if row.limit_share is None else f"{row.limit_share:.0%} of {row.limit}"
        ours = figure(row.ours)
        if row.ours_spread is not None:
            ours += f" ({figure(row.ours_spread[0])}-{figure(row.ours_spread[1])})"
        cells.append((row.work, f"{ours} {row.unit}", theirs, ratio, limit, row.peer_name or "", row.note))
    return cells


HEADINGS = ("work", "ours (p10-p90)", "peer", "ratio (p10-p90)", "limit", "best peer", "")


def markdown(rows: Sequence[Row], missing: str = "-") -> str:
    """The same table for a page of text."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *table_cells(rows, missing)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def figure(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _shorts(values: tuple[float, float] | None) -> list[float] | None:
    return None if values is None else [float(f"{value:.6g}") for value in values]
