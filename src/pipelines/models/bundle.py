"""A model as a folder of files: what was fitted, how to run it, and nothing that executes on loading.

model.json        kind, task, columns, classes, scale of the target, shape of the network
features.skops    the fitted scikit-learn preprocessing
weights.pt        the network's state (read with weights_only), or
estimator.skops   the fitted scikit-learn model
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from pipelines.config import ColumnType, Model
from pipelines.errors import DataError, EvergreenError
from pipelines.models import features as feature_steps
from pipelines.records import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# skops reads these only when told to: the private parts of gradient boosting, all scikit-learn's own.
TRUSTED = [
    "functools.partial",
    "numpy.dtype",
    "sklearn.utils.validation.check_array",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]


ESTIMATORS = ("linear", "gradient_boosting")


class Description(BaseModel):
    """The content of model.json."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    kind: str
    task: Task
    target: str
    timestamp: str | None
    types: dict[str, ColumnType]
    classes: list[str]  # in order; empty for regression
    mean: float = 0.0  # of the target, which the network learns as (y - mean) / scale
    scale: float = 1.0
    numbers: int
    cardinalities: list[int]
    model: Model

    @property
    def outputs(self) -> int:
        return max(1, len(self.classes))

    @property
    def network(self) -> bool:
        """Whether torch runs it."""
        return self.kind not in ESTIMATORS


@dataclass(frozen=True)
class Bundle:
    """A loaded model: `predict` is the one way from rows to predictions: evaluation, scoring, serving."""

    description: Description
    features_step: Any
    estimator: Any

    @property
    def task(self) -> Task:
        return self.description.task

    @property
    def timestamp(self) -> str | None:
        return self.description.timestamp

    @property
    def column_types(self) -> dict[str, ColumnType]:
        return self.description.types

    @property
    def inputs(self) -> list[str]:
        """The columns that a caller must send."""
        return list(self.description.types)

    @property
    def features(self) -> list[str]:
        """The inputs without the timestamp."""
        return [name for name in self.inputs if name != self.timestamp]

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """`prediction` (value or label) and `p_<class>` for each row of `frame`, in its order and index."""
        import pandas as pd

        missing = [name for name in self.inputs if name not in frame.columns]
        if missing:
            found = ", ".join(map(str, frame.columns))
            raise DataError(
                f"The model needs {', '.join(missing)}; the rows have {found}.",
                "Bring the columns back, or deploy a version that does without them.",
            )
        matrix = feature_steps.transform(self.features_step, frame, self.description.types)
        if self.task == "regression":
            return pd.DataFrame({"prediction": self._values(matrix)}, index=frame.index)
        probabilities = self._probabilities(matrix)
        classes = self.description.classes
        columns: dict[str, Any] = {"prediction": [classes[i] for i in probabilities.argmax(axis=1)]}
        columns |= {f"p_{name}": probabilities[:, i] for i, name in enumerate(classes)}
        return pd.DataFrame(columns, index=frame.index)

    def _values(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        raw = self._network(matrix)[:, 0] if self.description.network else self.estimator.predict(matrix)
        values: NDArray[np.float64] = raw.astype("float64") * self.description.scale + self.description.mean
        return values

    def _probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        from scipy.special import softmax

        if self.description.network:
            out: NDArray[np.float64] = softmax(self._network(matrix).astype("float64"), axis=1)
        else:
            out = self.estimator.predict_proba(matrix)
        return out

    def _network(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            outputs: NDArray[np.float32] = self.estimator(torch.from_numpy(matrix)).numpy()
        return outputs


def write_description(folder: Path, description: Description, features_step: Any) -> None:
    """Begin a bundle: everything but the learnt part."""
    import skops.io

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(description.model_dump_json(indent=1))
    skops.io.dump(features_step, folder / "features.skops")


def hash_files(folder: Path) -> dict[str, str]:
    """sha256 of each file of the bundle, by name."""
    return {
        f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir()) if f.is_file()
    }


def load_bundle(folder: Path, files: dict[str, str]) -> Bundle:
    """Load a model whose files are those recorded.

    Raises EvergreenError before anything is read where a hash differs.
    """
    import skops.io

    check_hashes(folder, files)
    description = Description.model_validate(json.loads((folder / "model.json").read_text()))
    features_step = skops.io.load(folder / "features.skops", trusted=TRUSTED)
    if description.network:
        return Bundle(description, features_step, load_network(folder, description))
    return Bundle(description, features_step, skops.io.load(folder / "estimator.skops", trusted=TRUSTED))


def check_hashes(folder: Path, files: dict[str, str]) -> None:
    """Raise EvergreenError unless the folder holds exactly the recorded files."""
    found = hash_files(folder) if folder.is_dir() else {}
    if found != files:
        changed = sorted(name for name in found.keys() | files.keys() if found.get(name) != files.get(name))
        raise EvergreenError(
            f"The model in {folder} is not the one recorded: {', '.join(changed)} differ or are missing.",
            "It was not loaded. Deploy a version that is intact, or train again.",
        )


def load_network(folder: Path, description: Description) -> Any:
    """The network with its trained weights, ready to answer."""
    import torch

    from pipelines.models.networks import build_network

    network = build_network(description)
    network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True, map_location="cpu"))
    return network.eval()
