"""A model that was put away answers as it did, and one that was touched does not load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipelines.errors import EvergreenError
from pipelines.home import Home
from pipelines.models.bundle import FEATURES, Bundle, begin_bundle, hash_files, load_bundle
from pipelines.models.networks import build_network
from pipelines.partition import partition_snapshot
from pipelines.training.attempts import plan_attempt
from pipelines.training.estimators import fit_estimator
from pipelines.training.fitting import plan_job
from pipelines.training.folder import AttemptFolder

KINDS = ["linear", "gradient_boosting", "mlp", "tabm"]
TASKS = ["regression", "binary", "multiclass"]
CLASSES = {"regression": [], "binary": ["no", "yes"], "multiclass": ["low", "mid", "top"]}
Pack = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory, table: Any, define: Any, keep: Any) -> Pack:
    """The folder of a bundle of a kind for a task, made once; the network's weights are its first ones."""
    home, made = Home(tmp_path_factory.mktemp("bundles")), {}
    snapshot = keep(table(400), home)

    def make(kind: str, task: str) -> Path:
        if (kind, task) not in made:
            config = define(task, model={"kind": kind, "width": 16})
            attempt = plan_attempt(config, home, snapshot, None)
            folder = AttemptFolder.of(attempt)
            folder.root.mkdir(parents=True)
            parts = partition_snapshot(snapshot, config)
            job = plan_job(config, attempt, folder, parts)
            begin_bundle(job.bundle, job.description, job.arrays / FEATURES)
            if job.description.network:
                torch.manual_seed(0)
                torch.save(build_network(job.description, job.bundle).state_dict(), job.bundle / "weights.pt")
            else:
                fit_estimator(job)
            made[kind, task] = job.bundle
        return made[kind, task]

    return make


def opened(folder: Path) -> Bundle:
    return load_bundle(folder, hash_files(folder))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_answers(pack: Pack, table: Any, kind: str, task: str) -> None:
    bundle, rows = opened(pack(kind, task)), table(50, seed=9)
    answers = bundle.predict(rows)
    assert answers.index.equals(rows.index)
    np.testing.assert_array_equal(opened(pack(kind, task)).predict(rows)["prediction"], answers["prediction"])
    names = CLASSES[task]
    assert list(answers) == ["prediction", *(f"p_{name}" for name in names)]
    if names:
        shares = answers.drop(columns="prediction").to_numpy()
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)
        assert list(answers["prediction"]) == [names[i] for i in shares.argmax(axis=1)]
    else:
        assert np.isfinite(answers["prediction"].astype(float)).all()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_row_is_answered_alone_as_in_company_and_in_any_order(
    pack: Pack, table: Any, kind: str, task: str
) -> None:
    bundle = opened(pack(kind, task))
    rows = table(40, seed=9).set_axis([f"r{i}" for i in range(40)])
    together = bundle.predict(rows)
    shuffled = bundle.predict(rows.sample(frac=1, random_state=2))
    numbers = together.select_dtypes("number").columns
    assert list(shuffled.index) != list(together.index)
    single = pd.concat([bundle.predict(rows.iloc[[i]]) for i in range(len(rows))])
    for other in (shuffled.loc[together.index], single):
        assert list(other.index) == list(together.index)
        np.testing.assert_allclose(other[numbers], together[numbers], rtol=1e-4, atol=1e-5)
        if bundle.task != "regression":
            assert list(other["prediction"]) == list(together["prediction"])


def test_the_inputs_are_what_a_caller_must_send(pack: Pack, table: Any) -> None:
    bundle = opened(pack("mlp", "regression"))
    assert sorted(bundle.inputs) == ["at", "distance", "passengers", "zone"]
    assert sorted(bundle.features) == ["distance", "passengers", "zone"]
    rows = table(5)
    np.testing.assert_array_equal(
        bundle.predict(rows[bundle.inputs]), bundle.predict(rows[rows.columns[::-1]])
    )


@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_byte_and_nothing_is_loaded(pack: Pack, kind: str) -> None:
    folder = pack(kind, "binary")
    files = hash_files(folder)
    assert set(files) == {
        "model.json",
        "features.skops",
        "weights.pt" if kind in ("mlp", "tabm") else "estimator.skops",
    }
    for name in files:
        path, content = folder / name, (folder / name).read_bytes()
        changed = bytearray(content)
        changed[len(changed) // 2] ^= 1
        path.write_bytes(changed)
        with pytest.raises(EvergreenError, match=f"{name} differ or are missing"):
            load_bundle(folder, files)
        path.write_bytes(content)
    load_bundle(folder, files)


def test_a_file_too_many_or_too_few(pack: Pack, tmp_path: Path) -> None:
    folder = pack("mlp", "binary")
    files = hash_files(folder)
    with pytest.raises(EvergreenError, match=r"extra.py"):
        load_bundle(folder, {**files, "extra.py": "00"})
    with pytest.raises(EvergreenError, match=r"weights.pt"):
        load_bundle(folder, {k: v for k, v in files.items() if k != "weights.pt"})
    with pytest.raises(EvergreenError, match="not the one recorded"):
        load_bundle(tmp_path / "absent", files)
