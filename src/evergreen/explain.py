"""`evergreen explain`: what one logged prediction rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.console import Answer, out, print_table, value_words
from pipelines.home import Home
from pipelines.registration import open_pipeline

if TYPE_CHECKING:
    from pipelines.explanation import Explanation


def explain(
    pipeline: Annotated[str, typer.Argument(help="Name of a known pipeline, or path of its pipeline.yaml.")],
    prediction: Annotated[
        str, typer.Argument(metavar="PREDICTION_ID", help="As the service, or a score, answered it.")
    ],
) -> Answer:
    """Say what each column adds to one logged prediction (Shapley values), the largest first."""
    from pipelines.explanation import explain_prediction

    home = Home.at()
    found = explain_prediction(home, open_pipeline(home, pipeline).pipeline, prediction)
    return found.model_dump(mode="json"), lambda: show_explanation(found), 0


def show_explanation(found: Explanation) -> None:
    words = (
        f"{found.output} {found.answer:.6g} by version {found.version}; {found.base:.6g} of rows in general."
    )
    out.print(words, markup=False, soft_wrap=True)
    rows = ([one.column, value_words(one.value), f"{one.contribution:+.4g}"] for one in found.contributions)
    print_table("What each column adds", ["column", "value", "adds"], rows)
