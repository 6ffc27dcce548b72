"""A model as a folder of files: what was fitted, how to run it, and nothing that executes on loading.

model.json        kind, task, columns, classes, scale of the target, shape of the network
features.skops    the fitted preprocessing
weights.pt        the network's state (read with weights_only), or
estimator.skops   the fitted scikit-learn model; of a regression a list: of the value, then of each quantile
code/             the user's own modules, where the definition names any
"""

from __future__ import annotations

import hashlib
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from pipelines.config import ColumnType, Model
from pipelines.config.learning import is_network
from pipelines.errors import ConfigError, DataError, ModelUnusable
from pipelines.models import custom
from pipelines.models import features as feature_steps
from pipelines.models.code import CODE, open_code
from pipelines.models.skops_file import import_skops
from pipelines.records import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# skops reads these only when told to: our own steps, and private parts of scikit-learn's boosting.
TRUSTED = [
    "pipelines.models.custom.Scaled",
    "pipelines.models.scaling.SoftScaler",
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


DESCRIPTION = "model.json"
FEATURES = "features.skops"
# Rows that a network answers at once; of many columns as many as have so many numbers, each of which becomes
# a few hundred bytes: 0.6 GB in all.
PIECE, NUMBERS, FEWEST = 16_384, 2**20, 64


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
    bins: list[list[float]]  # of each number: the edges of the pieces that networks embed it by
    cardinalities: list[int]  # of each code, which stand after the numbers; 0 is what was never seen
    model: Model
    shape: list[int] = []  # of a row, as the model reads it
    features: str | None = None  # the user's own, by module:function

    @property
    def outputs(self) -> int:
        """Of a network: a class each, or the value and then its quantiles."""
        return len(self.classes) or 1 + len(self.model.quantiles)

    @property
    def numbers(self) -> int:
        return len(self.bins)

    @property
    def piece(self) -> int:
        """Rows that a network answers at once: what its layers make of more might not fit into memory."""
        return max(FEWEST, min(PIECE, NUMBERS // math.prod(self.shape)))

    @property
    def network(self) -> bool:
        """Whether torch runs it."""
        return is_network(self.kind)


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
        outputs = self.answer(self.transform(frame))
        return pd.DataFrame(self._columns(outputs), index=frame.index)

    def transform(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        """The rows as the model reads them: float32 (rows, *shape)."""
        if self.description.features:
            return custom.transform_own(self.features_step, frame[self.inputs], tuple(self.description.shape))
        return feature_steps.transform(self.features_step, frame, self.description.types)

    def answer(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the model says of prepared rows: (rows, classes) of probabilities, or (rows, 1 + quantiles) of
        standardised values; of an ensemble the members' mean."""
        if self.description.network:
            return self._network(matrix)
        if self.description.classes:
            probabilities: NDArray[np.float64] = self.estimator.predict_proba(matrix)
            return probabilities
        import numpy as np

        return np.column_stack([part.predict(matrix) for part in self.estimator])

    def _columns(self, answers: NDArray[np.float64]) -> dict[str, Any]:
        """Answers as people read them: classes by name, values and quantiles in the target's unit."""
        import numpy as np

        classes, quantiles = self.description.classes, self.description.model.quantiles
        if classes:
            shares = {f"p_{name}": answers[:, i] for i, name in enumerate(classes)}
            return {"prediction": [classes[i] for i in answers.argmax(axis=1)], **shares}
        values = answers * self.description.scale + self.description.mean
        # Each is learnt by itself; sorted, none is below a lower one (Chernozhukov and others, 2010).
        ordered = np.sort(values[:, 1:], axis=1)
        return {"prediction": values[:, 0]} | {f"q_{q:g}": ordered[:, i] for i, q in enumerate(quantiles)}

    def _network(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """In pieces, since an ensemble's layers of many rows would not fit into memory."""
        import torch

        with torch.inference_mode():
            pieces = torch.split(torch.from_numpy(matrix), self.description.piece)
            outputs = torch.cat([self.estimator(rows).double() for rows in pieces])
            if self.description.classes:
                outputs = outputs.softmax(dim=-1)
            combined: NDArray[np.float64] = (outputs.mean(dim=1) if outputs.ndim == 3 else outputs).numpy()
        return combined


def begin_bundle(folder: Path, description: Description, features_file: Path) -> None:
    """Everything but the learnt part: the description, and the fitted features of `features_file`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION).write_text(description.model_dump_json(indent=1), encoding="utf-8")
    shutil.copyfile(features_file, folder / FEATURES)
    if (features_file.parent / CODE).is_dir():
        shutil.copytree(features_file.parent / CODE, folder / CODE, dirs_exist_ok=True)


def hash_files(folder: Path) -> dict[str, str]:
    """sha256 of each file of the bundle, by its path in it."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def load_bundle(folder: Path, files: dict[str, str]) -> Bundle:
    """Load a model whose files are those recorded.

    Raises ModelUnusable before anything is read where a hash differs.
    """
    check_hashes(folder, files)
    description = read_description(folder)
    features_step = load_features(folder)
    return Bundle(description, features_step, open_estimator(folder, description))


def read_description(folder: Path) -> Description:
    """What a bundle says of itself. Raises OSError where none is, ValueError where it has another form."""
    return Description.model_validate_json((folder / DESCRIPTION).read_bytes())


def load_features(folder: Path) -> Any:
    """The fitted features. Types of the user's own code are trusted, whose files were hashed like all others.

    Raises ConfigError where there are parts that are neither the user's nor known to be harmless, or that
    cannot be read back, as functions without a name.
    """
    skops, file, trusted = import_skops(), folder / FEATURES, list(TRUSTED)
    if (folder / CODE).is_dir():
        package = open_code(folder / CODE)
        unknown = skops.get_untrusted_types(file=file)
        trusted += [name for name in unknown if name.startswith(f"{package}.")]
    if foreign := sorted(set(skops.get_untrusted_types(file=file)) - set(trusted)):
        raise ConfigError(
            f"features: what was fitted holds {', '.join(foreign)}, which cannot be kept safely.",
            "Keep numbers, texts, arrays, scikit-learn's objects and those of your own module.",
        )
    try:
        return skops.load(file, trusted=trusted)
    except Exception as error:
        raise ConfigError(
            f"features: what was fitted cannot be read back: {type(error).__name__}: {error}.",
            "Keep numbers, texts, arrays, scikit-learn's objects and those of your own module.",
        ) from error


def open_estimator(folder: Path, description: Description) -> Any:
    """The learnt part, ready to answer; whoever calls has seen that the files are what was recorded, or has
    just written them."""
    if description.network:
        return load_network(folder, description)
    return import_skops().load(folder / "estimator.skops", trusted=TRUSTED)


def is_intact(folder: Path, files: dict[str, str]) -> bool:
    """Whether the folder holds exactly the recorded files."""
    return folder.is_dir() and hash_files(folder) == files


def check_hashes(folder: Path, files: dict[str, str]) -> None:
    """Raise ModelUnusable unless the folder holds exactly the recorded files."""
    found = hash_files(folder) if folder.is_dir() else {}
    if found != files:
        changed = sorted(name for name in found.keys() | files.keys() if found.get(name) != files.get(name))
        raise ModelUnusable(
            f"The model in {folder} is not the one recorded: {', '.join(changed)} differ or are missing.",
            "It was not loaded. Deploy a version that is intact, or train again.",
        )


def load_network(folder: Path, description: Description) -> Any:
    """The network with its trained weights, ready to answer."""
    import torch

    from pipelines.models.networks import build_network

    network = build_network(description, folder)
    network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True, map_location="cpu"))
    return network.eval()
