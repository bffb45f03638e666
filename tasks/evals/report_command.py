"""`moonhand eval report`: what came of a run, as a page, as Markdown and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import DeviceFlag, DtypeFlag, JsonFlag, ModelChoice, QuantizeFlag, people, print_json
from ..errors import BadRequest

if TYPE_CHECKING:
    from .report.gallery import Heat

DataFlag = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The suite's folder, as it was named for the run.")
]


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A result folder: what `moonhand eval run` wrote.")],
    data: DataFlag = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the three files go. (default: the result folder)")
    ] = None,
    gallery: Annotated[int, typer.Option("--gallery", metavar="N", min=0, help="Failures to show at most.")] = 120,
    heat: Annotated[
        bool, typer.Option("--heat", help="Ask the model of --model again for the failures shown, for heat maps.")
    ] = False,
    model: Annotated[
        str, typer.Option("--model", envvar="MOONHAND_MODEL", help="For --heat: 'nano', or the folder of a checkpoint.")
    ] = "nano",
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Write report.html, report.md and report.json of a run: scores, groups, curves, and a gallery of failures.

    The page is one file that needs no network. Pictures in it are small crops of the suite's screenshots.
    """
    from .report.heat import engine_heat
    from .report.opening import suite_of_run
    from .report.write import write_report

    suite = suite_of_run(folder, data)
    asked: Heat | None = None
    if heat:
        if all(sample.image is None for sample in suite.samples):
            raise BadRequest("--heat needs the screenshots: name the suite's folder with --data")
        asked = engine_heat(ModelChoice(model, device, dtype, quantize).load())
    with people().status("writing the report"):
        written = write_report(folder, suite, out=out, gallery=gallery, heat=asked)
    result = written.report["result"]
    told: dict[str, Any] = {
        "report": str(written.html),
        "bytes": written.num_bytes,
        "failures_shown": written.num_cards,
        "pictures": written.num_pictures,
        **{key: result[key] for key in ("n", "correct", "accuracy", "accuracy_macro", "ci95")},
    }
    if as_json:
        print_json(told)
        return
    low, high = result["ci95"]
    said = f"{result['correct']:,} of {result['n']:,} right: {result['accuracy']:.1%} (95 % {low:.1%} to {high:.1%})"
    people().print(said, highlight=False)
    people().print(
        f"{written.html} ({written.num_bytes / 1e6:.1f} MB), beside it report.md and report.json", soft_wrap=True
    )
