"""`python -m pipelines.evaluation.smoke FOLDER`: does a model answer as known in a clean process?"""

from __future__ import annotations

import sys
from pathlib import Path

from pipelines.errors import EvergreenError
from pipelines.models.bundle import load_bundle
from pipelines.records import TrainedModel


def main(folder: Path) -> str | None:
    """What went wrong, or None."""
    import numpy as np
    import pandas as pd

    trained = TrainedModel.model_validate_json((folder / "trained.json").read_text())
    rows, expected = pd.read_parquet(folder / "rows.parquet"), pd.read_parquet(folder / "expected.parquet")
    try:
        answers = load_bundle(Path(trained.folder), trained.files).predict(rows)
    except EvergreenError as error:
        return str(error)
    numbers = expected.select_dtypes("number").columns
    # float32 sums may differ in the last digits with the number of rows in a batch
    close = np.allclose(answers[numbers], expected[numbers], rtol=1e-3, atol=1e-4)
    return (
        None
        if close and list(answers.columns) == list(expected.columns)
        else "the answers differ from those in evaluation."
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
