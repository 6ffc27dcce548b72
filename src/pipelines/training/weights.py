"""How much each row counts: by its age and by its class, as far as the definition says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig
from pipelines.errors import ConfigError
from pipelines.records import Record
from pipelines.splitting import PARTS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipelines.partition import Partition


class RowWeights(Record):
    """A rule that gives each row its weight, whatever rows it is asked with; see `fit_weights`.

    newest: the youngest row's time, in ISO 8601; half_life: seconds.
    """

    target: str
    timestamp: str | None = None
    newest: str | None = None
    half_life: float | None = None
    classes: dict[str, float] | None = None
    mean: float = 1.0

    @property
    def alike(self) -> bool:
        """Whether all rows count the same."""
        return self.half_life is None and self.classes is None

    def weigh(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        """The rows' weights, (rows,); their mean is 1 over the rows that the rule was fitted on."""
        normed: NDArray[np.float32] = (self.relative(frame) / self.mean).astype("float32")
        return normed

    def relative(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """The same before their mean is made 1."""
        return self._by_age(frame) * self._by_class(frame)

    def _by_age(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        import numpy as np
        import pandas as pd

        if self.half_life is None:
            return np.ones(len(frame))
        age = (pd.Timestamp(str(self.newest)) - frame[self.timestamp]).dt.total_seconds().to_numpy()
        return np.asarray(0.5 ** (age / self.half_life), dtype=np.float64)

    def _by_class(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        import numpy as np

        if self.classes is None:
            return np.ones(len(frame))
        return np.asarray(frame[self.target].astype(str).map(self.classes), dtype=np.float64)


def fit_weights(frame: pd.DataFrame, config: PipelineConfig) -> RowWeights:
    """The rule for the rows to learn from, given with target and timestamp: half for each half-life of age,
    and the weight of the class."""
    half_life, timestamp = config.training.half_life, config.data.timestamp
    rule = RowWeights(target=config.data.target, classes=class_weights(frame[config.data.target], config))
    if isinstance(half_life, timedelta) and timestamp is not None:
        newest, seconds = frame[timestamp].max().isoformat(), half_life.total_seconds()
        rule = rule.model_copy(update={"timestamp": timestamp, "newest": newest, "half_life": seconds})
    return rule.model_copy(update={"mean": float(rule.relative(frame).mean())})


def class_weights(target: pd.Series, config: PipelineConfig) -> dict[str, float] | None:
    """The weight of each class; `balanced`: rows / (classes x rows of the class), as in scikit-learn."""
    asked = config.training.class_weights
    if asked is None:
        return None
    counts = target.astype(str).value_counts()
    if asked == "balanced":
        return {str(name): len(target) / (len(counts) * int(count)) for name, count in counts.items()}
    return {str(name): float(asked.get(str(name), 1.0)) for name in counts.index}


def check_class_weights(config: PipelineConfig, rows: Partition) -> None:
    """Raise ConfigError where a class is named that no part has; the learnt part may well lack one."""
    asked = config.training.class_weights
    if not isinstance(asked, dict):
        return
    target = rows.column(config.data.target, *PARTS)
    known = sorted(target.astype(str).unique())
    if unknown := sorted(asked.keys() - set(known)):
        raise ConfigError(
            f"training.class_weights names {', '.join(map(repr, unknown))}; the classes of"
            f" {config.data.target!r} are {', '.join(map(repr, known))}.",
            "Write the classes as the data do; those that are not named count 1.",
        )
