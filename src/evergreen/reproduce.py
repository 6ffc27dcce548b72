"""`evergreen reproduce`: a registered version made again, and what of it is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.console import Answer, out, print_table

if TYPE_CHECKING:
    from pipelines.reproduction import Reproduction


def reproduce(
    pipeline: Annotated[str, typer.Argument(help="Name of a known pipeline, or path of its pipeline.yaml.")],
    version: Annotated[int, typer.Option(help="A registered version.")],
) -> Answer:
    """Train a registered version again, and say whether weights and metrics are the same."""
    from flows.reproduction import reproduction
    from pipelines.home import Home
    from pipelines.reproduction import read_version

    read_version(Home.at(), pipeline, version)  # a mistake is answered before any server starts
    found = reproduction(pipeline, version)
    return found.model_dump(mode="json"), lambda: show_reproduction(found), 0 if found.agrees else 1


def show_reproduction(found: Reproduction) -> None:
    """What is the same, what is not, and what is different around it."""
    rows = [[name, "the same" if file.equal else "differs", ""] for name, file in found.weights.files.items()]
    rows += [
        [name, f"{metric.reproduced:.6g}", "" if metric.equal else f"was {metric.recorded:.6g}"]
        for name, metric in found.metrics.items()
    ]
    print_table(f"Version {found.version} of {found.pipeline}, made again", ["what", "now", ""], rows)
    for what, values in found.environment.items():
        out.print(f"{what}: {values['recorded']}, now {values['now']}", markup=False)
    if found.agrees:
        out.print("It agrees: the same weights bit for bit, the same metrics.")
    else:
        largest = found.weights.largest_difference
        out.print(
            f"It does not agree. Largest difference of a number: {largest}. See {found.folder}", markup=False
        )
