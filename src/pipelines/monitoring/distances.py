"""How far two samples of a column are apart, by exactly Evidently's definitions, so thresholds mean the same.

Evidently scores the windows (`drift`); these score the calm ones that the thresholds come from
(`calibration`), thousands of times, where a whole Evidently report each would take minutes. A test holds the
two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Method = Literal["wasserstein", "jensenshannon", "missing"]
Kind = Literal["number", "category"]
KIND_OF: dict[Method, Kind] = {"wasserstein": "number", "jensenshannon": "category", "missing": "category"}


def measure_distance(method: Method, reference: pd.Series, current: pd.Series) -> float:
    """The distance of two prepared columns, missing values left out; 0 where one has no value at all."""
    reference, current = reference.dropna(), current.dropna()
    if method == "missing" or reference.empty or current.empty:
        return 0.0
    return (normed_wasserstein if method == "wasserstein" else jensen_shannon)(reference, current)


def normed_wasserstein(reference: pd.Series, current: pd.Series) -> float:
    """How far values must move on average to make one sample the other, in standard deviations of the
    reference.

    Evidently's `wasserstein`: scipy's first Wasserstein distance over the population standard deviation,
    which counts as 0.001 at least.
    """
    import numpy as np
    from scipy.stats import wasserstein_distance

    origin = reference.iloc[0]  # changes nothing but the rounding of huge numbers: ids, ticks
    left, right = reference.to_numpy() - origin, current.to_numpy() - origin
    return float(wasserstein_distance(left, right)) / max(float(np.std(left)), 0.001)


def jensen_shannon(reference: pd.Series, current: pd.Series) -> float:
    """The Jensen-Shannon distance of the shares of categories, from 0 (same) to 0.83 (nothing in common).

    Evidently's `jensenshannon`: scipy's distance, the root of the divergence, in natural logarithms.
    """
    from scipy.spatial.distance import jensenshannon

    shares = [sample.value_counts(normalize=True) for sample in (reference, current)]
    keys = shares[0].index.union(shares[1].index)
    left, right = (share.reindex(keys, fill_value=0.0) for share in shares)
    return float(jensenshannon(left.to_numpy(), right.to_numpy()))


def prepare_column(column: pd.Series, kind: Kind) -> pd.Series:
    """A column as both measures need it: floats, or words; what is no finite number is missing."""
    import numpy as np
    import pandas as pd

    if kind == "number":
        numbers = pd.to_numeric(column.astype(object), errors="coerce").astype("float64")
        return numbers.replace([np.inf, -np.inf], np.nan)
    return column.astype(object).map(spell_category, na_action="ignore")


def spell_category(value: Any) -> str:
    """One word for one category: a code is 3 here, and 3.0 where a value is missing beside it."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
