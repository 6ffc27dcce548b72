"""Some of the test rows with the answers to them, for all that needs no more: the whole part may not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ROWS = 50_000


@dataclass(frozen=True)
class Sample:
    """Test rows in order with their targets and a model's answers, all with the index 0, 1, …

    places: (n,) where they stand among all test rows.
    """

    rows: pd.DataFrame
    target: pd.Series
    answers: pd.DataFrame
    places: NDArray[np.int64]

    def head(self, most: int) -> Sample:
        """At most so many of them, by another seeded draw."""
        import numpy as np

        if len(self.places) <= most:
            return self
        chosen = np.sort(np.random.default_rng(1).choice(len(self.places), most, replace=False))
        frames = [frame.iloc[chosen].reset_index(drop=True) for frame in (self.rows, self.answers)]
        target = self.target.iloc[chosen].reset_index(drop=True)
        return Sample(frames[0], target, frames[1], self.places[chosen])


def draw_sample(rows: Partition, target: str, answers: pd.DataFrame, most: int = ROWS) -> Sample:
    """At most so many test rows by a seeded draw; `answers` are to all test rows, in their order."""
    import numpy as np
    import pandas as pd

    count, start, pieces = len(answers), 0, []
    places = np.arange(count)
    if count > most:
        places = np.sort(np.random.default_rng(0).choice(count, most, replace=False))
    for piece in rows.pieces("test"):
        here = places[np.searchsorted(places, start) : np.searchsorted(places, start + len(piece))]
        pieces.append(piece.iloc[here - start])
        start += len(piece)
    frame = pd.concat(pieces, ignore_index=True)
    return Sample(frame, frame[target], answers.iloc[places].reset_index(drop=True), places)
