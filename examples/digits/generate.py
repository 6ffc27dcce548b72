"""`python -m examples.digits.generate FOLDER`: scikit-learn's bundled digits, as a pipeline's rows.

1,797 images of 8 x 8 pixels (0 to 16), each as one text: its 64 bytes in base64, as images travel in JSON.
FOLDER/data/digits.csv has most of them with their digit, FOLDER/score.csv the last 97 without it, and
FOLDER/truth.csv the digits of those.
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

import pandas as pd

SCORED = 97


def read_digits() -> pd.DataFrame:
    """Columns `image` and `digit`, in the order of the set, whose last part other people wrote."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = [base64.b64encode(row.tobytes()).decode() for row in found.data.astype("uint8")]
    return pd.DataFrame({"image": images, "digit": found.target})


def generate(folder: Path) -> None:
    """Write the three files."""
    digits = read_digits()
    known, later = digits[:-SCORED], digits[-SCORED:]
    (folder / "data").mkdir(parents=True, exist_ok=True)
    known.to_csv(folder / "data" / "digits.csv", index=False)
    later[["image"]].to_csv(folder / "score.csv", index=False)
    later[["digit"]].to_csv(folder / "truth.csv", index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    generate(parser.parse_args().folder)
