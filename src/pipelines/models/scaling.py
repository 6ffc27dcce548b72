"""Numbers on a common scale, which extreme values do not set and do not leave."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

QUARTILES_OF_NORMAL = 1.349  # how far apart they are, in standard deviations
REACH = 3.0  # no value comes further from the median than this, in standard deviations


class SoftScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Each column less its median, over its quartiles' distance, bent softly into (-REACH, REACH).

    The robust scaling and smooth clipping of RealMLP (Holzmüller and others, 2024, "Better by Default").
    Missing values stay missing; a column whose quartiles are one is scaled by its standard deviation.
    """

    def fit(self, x: Any, y: Any = None) -> SoftScaler:
        values = np.asarray(x, dtype=np.float64)
        low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75], axis=0)
        spread, deviation = (high - low) / QUARTILES_OF_NORMAL, np.nanstd(values, axis=0)
        self.center_ = middle
        self.scale_ = np.where(spread > 0, spread, np.where(deviation > 0, deviation, 1.0))
        self.n_features_in_ = values.shape[1]
        if hasattr(x, "columns"):
            self.feature_names_in_ = np.asarray(x.columns, dtype=object)
        return self

    def transform(self, x: Any) -> NDArray[np.float64]:
        scaled = (np.asarray(x, dtype=np.float64) - self.center_) / self.scale_
        bent: NDArray[np.float64] = scaled / np.hypot(1.0, scaled / REACH)
        return bent
