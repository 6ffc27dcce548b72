"""`python -m pipelines.evaluation.smoke FOLDER`: does a model answer as known in a clean process?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import EvergreenError
from pipelines.models.bundle import load_bundle
from pipelines.records import TrainedModel

if TYPE_CHECKING:
    import pandas as pd


def main(folder: Path) -> str | None:
    """What went wrong, or None."""
    import pandas as pd

    trained = TrainedModel.model_validate_json((folder / "trained.json").read_text())
    rows, expected = pd.read_parquet(folder / "rows.parquet"), pd.read_parquet(folder / "expected.parquet")
    try:
        answers = load_bundle(Path(trained.folder), trained.files).predict(rows)
    except EvergreenError as error:
        return str(error)
    return None if same_answers(answers, expected) else "the answers differ from those in evaluation."


def same_answers(answers: pd.DataFrame, expected: pd.DataFrame) -> bool:
    """Whether answers are those expected; float32 sums may differ in the last digits with the batch's size.

    A class follows from its probabilities, and is not compared: of two that are as likely either may come.
    """
    import numpy as np

    numbers = expected.select_dtypes("number").columns
    close = np.allclose(answers[numbers], expected[numbers], rtol=1e-3, atol=1e-4)
    return close and list(answers.columns) == list(expected.columns)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
