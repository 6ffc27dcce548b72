"""What a row counts, and which definitions the rows cannot follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import ConfigError
from pipelines.partition import Partition, hold
from pipelines.training.weights import check_class_weights, fit_weights


def test_a_class_that_only_a_later_part_has_may_have_a_weight(define: Any) -> None:
    frame = pd.DataFrame({"band": ["low", "mid", "low", "mid", "low", "top"]})
    rows = Partition(hold(frame), np.array([0, 0, 0, 0, 1, 2], dtype=np.int8))

    def weighted(**weights: float) -> Any:
        return define("multiclass", training={"class_weights": weights})

    config = weighted(mid=2.0, top=5.0)
    check_class_weights(config, rows)
    learnt = rows.table("train")
    assert list(fit_weights(learnt, config).relative(learnt)) == [1.0, 2.0, 1.0, 2.0]
    with pytest.raises(ConfigError, match="names 'high'; the classes of 'band' are 'low', 'mid', 'top'"):
        check_class_weights(weighted(mid=2.0, high=5.0), rows)
