"""What a user brings is taken as it is, travels with the model, and every mistake in it is an answer."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.config import PipelineConfig
from pipelines.errors import ConfigError, DataError, EvergreenError
from pipelines.home import Home
from pipelines.models.bundle import hash_files, load_bundle
from pipelines.training.attempts import plan_attempt
from pipelines.training.driver import run
from pipelines.training.folder import AttemptFolder, read_error

GOOD = """
import numpy as np
from torch import nn
from layers import head

class Features:
    def fit(self, frame, target):
        self.middle = float(frame["distance"].median())
    def transform(self, frame):
        from layers import fill  # also when it is run later
        return fill(frame, self.middle)

def build_features():
    return Features()

def build(inputs):
    assert inputs.shape == (2, 3) and inputs.outputs == 1 and inputs.task == "regression"
    return nn.Sequential(nn.Flatten(), head(6, inputs.outputs))

def loss(outputs, target):
    return (outputs[:, 0] - target).abs()
"""
LAYERS = """
import numpy as np
from torch import nn

def head(width, outputs):
    return nn.Linear(width, outputs)

def fill(frame, middle):
    values = frame["distance"].fillna(middle).to_numpy("float64")
    return np.repeat(values, 6).reshape(-1, 2, 3) / 10
"""
OWN = {"model": "own:build", "features": "own:build_features"}
QUICK = {"epochs": 2, "batch_size": 64, "refit": False, "loss": "own:loss"}


@pytest.fixture
def write(tmp_path: Path, define: Any) -> Any:
    """The definition beside a module `own` with this source."""

    def make(source: str = GOOD, **changed: Any) -> PipelineConfig:
        (tmp_path / "own.py").write_text(source)
        (tmp_path / "layers.py").write_text(LAYERS)
        (tmp_path / "unused.py").write_text("")
        sections = {"split": {"by": "random"}, "training": QUICK, **OWN, **changed}
        config: PipelineConfig = define(**sections)
        return config.model_copy(update={"folder": tmp_path})

    return make


def attempt_of(config: PipelineConfig, home: Home, keep: Any, trips: Any) -> AttemptFolder:
    """The folder of an attempt, made in this process."""
    attempt = plan_attempt(config, home, keep(trips(200), home), None)
    folder = AttemptFolder.of(attempt)
    folder.root.mkdir(parents=True)
    spec = {"config": config.model_dump(mode="json"), "attempt": attempt.model_dump()}
    folder.spec.write_text(json.dumps(spec))
    run(folder)
    return folder


def test_the_code_travels_with_the_model(write: Any, home: Home, keep: Any, trips: Any) -> None:
    config = write()
    bundle = attempt_of(config, home, keep, trips).bundle
    files = hash_files(bundle)
    assert {"code/own.py", "code/layers.py"} <= files.keys()
    assert "code/unused.py" not in files
    for name in ("own.py", "layers.py"):
        (config.folder / name).unlink()
    rows = trips(20, seed=3)
    answers = load_bundle(bundle, files).predict(rows)
    assert np.isfinite(answers["prediction"]).all()
    assert not {"own", "layers"} & sys.modules.keys()  # the user's names are taken from nobody
    assert hash_files(bundle) == files  # running it left nothing behind
    with pytest.raises(DataError, match="features raised"):
        load_bundle(bundle, files).predict(rows.assign(distance="far"))
    with (bundle / "code/layers.py").open("a") as file:
        file.write("raise SystemExit\n")
    with pytest.raises(EvergreenError, match=r"code/layers.py differ"):
        load_bundle(bundle, files)


def test_other_code_is_another_attempt(write: Any, home: Home, keep: Any, trips: Any) -> None:
    snapshot = keep(trips(50), home)
    first = plan_attempt(write(), home, snapshot, None).id
    assert plan_attempt(write(), home, snapshot, None).id == first
    assert plan_attempt(write(GOOD + "\n# mended\n"), home, snapshot, None).id != first


MISTAKES = [
    ("raise SystemExit(2)", "cannot be imported: SystemExit: 2 .own.py, line 1."),
    ("raise OSError('no file')", "cannot be imported: OSError: no file .own.py, line 1."),
    ("def build(inputs): return (", r"cannot be imported: SyntaxError: .* \(own.py, line 1\)"),
    (GOOD.replace("def build(", "def make("), "model: the module own has no function 'build'"),
    (GOOD.replace("nn.Sequential(nn.Flatten(), head(6, inputs.outputs))", "None"), "gave NoneType, not a to"),
    (
        GOOD.replace("    assert", "    1 / 0\n    assert"),
        "model: own:build raised ZeroDivisionError.*own.py, l",
    ),
    (
        GOOD.replace("inputs.outputs))", "4))"),
        r"gave \(2, 4\) for rows of shape \(2, 2, 3\); expected \(2, 1\)",
    ),
    (
        GOOD.replace("head(6, inputs.outputs))", "head(6, inputs.outputs)).requires_grad_(False)"),
        "has no weights that can be learnt",
    ),
    (
        GOOD.replace("nn.Flatten(), ", "nn.Flatten(), Shy(), ")
        + """
class Shy(nn.Module):
    def forward(self, x):
        assert not x.any()
        return x
""",
        r"model: the network raised AssertionError \(own.py, line 25\)",
    ),
    (GOOD.replace("return Features()", "return 3"), "gave int, which has no fit and no transform"),
    (GOOD.replace("fill(frame, self.middle)", "fill(frame, self.middle)[1:]"), "expected .rows, ...."),
    (GOOD.replace("fill(frame, self.middle)", "np.zeros((len(frame), 0))"), r"gave the shape \(\d+, 0\)"),
    (
        GOOD.replace("self.middle =", "self.later = lambda x: x; self.middle ="),
        "what was fitted cannot be read back",
    ),
    (GOOD.replace("float(frame", "float('nan') * float(frame"), "not finite, first in row"),
    (
        GOOD.replace(
            "def transform(self, frame):", "def transform(self, frame):\n        assert frame['zone'].any()"
        ),
        "a row without any value raised AssertionError",
    ),
    (
        GOOD.replace("self.middle =", "self.other = nn.Linear(1, 1); self.middle ="),
        "cannot be kept once it is fitted",
    ),
    (GOOD.replace(".abs()", ".abs().mean()"), r"training.loss: own:loss gave \(\) for outputs \(2, 1\)"),
    (GOOD.replace(".abs()", ".abs().detach()"), "training.loss: own:loss gives losses without a gradient"),
]


@pytest.mark.parametrize(("source", "words"), MISTAKES, ids=[words[:30] for _, words in MISTAKES])
def test_a_mistake_is_an_answer(
    write: Any, home: Home, keep: Any, trips: Any, source: str, words: str
) -> None:
    folder = attempt_of(write(source), home, keep, trips)
    error = read_error(folder.error)
    assert isinstance(error, ConfigError)
    assert error.hint
    assert re.search(words, error.message)


def test_a_module_that_is_not_there(write: Any, home: Home, keep: Any, trips: Any) -> None:
    config = write(model="absent:build")
    with pytest.raises(ConfigError, match="model: absent:build: no module 'absent' in") as caught:
        plan_attempt(config, home, keep(trips(50), home), None)
    assert caught.value.exit_code == 2


HUGE = GOOD.replace(
    "return fill(frame, self.middle)",
    """values = frame["distance"].fillna(self.middle).to_numpy("float64")
        return np.column_stack([1e9 * values, 1e9 + values, 0 * values + 1e9, 0 * values + 3e38])""",
)


@pytest.mark.parametrize("kind", ["mlp", "linear"])
def test_a_built_in_model_reads_features_of_any_scale(
    write: Any, home: Home, keep: Any, trips: Any, kind: str
) -> None:
    training = {"epochs": 15, "batch_size": 16, "learning_rate": 0.02, "refit": False}
    config = write(HUGE, model={"kind": kind, "width": 16}, training=training)
    bundle = attempt_of(config, home, keep, trips).bundle
    rows = trips(200, seed=3).dropna()
    answers = load_bundle(bundle, hash_files(bundle)).predict(rows)["prediction"]
    assert float(((answers - rows["y"]) ** 2).mean()) < 0.3 * float(rows["y"].var())


def test_a_built_in_model_reads_no_images(write: Any, home: Home, keep: Any, trips: Any) -> None:
    config = write(model="linear", training={"refit": False})
    error = read_error(attempt_of(config, home, keep, trips).error)
    assert "linear reads rows of numbers" in str(error)
