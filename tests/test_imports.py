"""Nothing happens at import: no heavy package is loaded, no file written. Each check is a fresh process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "ray", "mlflow", "evidently", "great_expectations", "deltalake", "duckdb", "sklearn"}
# These run inside a tool's own process, or are that tool's side of an adapter.
OWN_PROCESS = {
    "pipelines.models.embedding": "torch",
    "pipelines.models.dropout": "torch",
    "pipelines.models.mlp": "torch",
    "pipelines.models.tabm": "torch",
    "pipelines.models.scaling": "sklearn",
    "pipelines.registry.pyfunc_model": "mlflow",
    "pipelines.training.trial_hooks": "ray",
    "pipelines.validation.engine": "great_expectations",
    "pipelines.validation.metrics": "great_expectations",
    "pipelines.validation.measure": "great_expectations",
}
ALEMBIC = "pipelines.ledger.migrations"  # scripts that Alembic runs, not modules that anybody imports
REPORT = """
import sys, importlib
for name in sys.argv[1].split():
    before = set(sys.modules)
    importlib.import_module(name)
    loaded = sorted({m.partition('.')[0] for m in set(sys.modules) - before} & set(sys.argv[2].split()))
    print(name, *loaded)
"""
FORGET = """
import sys, importlib
for name in sys.argv[1].split():
    for loaded in [m for m in sys.modules if m.partition('.')[0] == 'pipelines']:
        del sys.modules[loaded]
    importlib.import_module(name)
"""


def modules(*folders: str) -> list[str]:
    """Dotted names of all modules below folders of the checkout, but for the exceptions above."""
    found = []
    for folder in folders:
        base = ROOT / folder
        names = (path.relative_to(base.parent).with_suffix("").parts for path in sorted(base.rglob("*.py")))
        found += [".".join(parts).removesuffix(".__init__") for parts in names]
    return [name for name in found if name not in OWN_PROCESS and not name.startswith(ALEMBIC)]


def load(names: list[str], watched: set[str], folder: Path) -> dict[str, set[str]]:
    """What of `watched` each module loads when one fresh process imports them in this order."""
    command = [sys.executable, "-B", "-c", REPORT, " ".join(names), " ".join(sorted(watched))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return {line[0]: set(line[1:]) for line in lines}


@pytest.mark.parametrize("folders", [("flows", "tasks"), ("src/pipelines",), ("src/evergreen",)], ids=str)
def test_imports_are_light(folders: tuple[str, ...], tmp_path: Path) -> None:
    names = modules(*folders)
    assert len(names) > len(folders)
    loaded = load(names, HEAVY, tmp_path)
    assert {name: heavy for name, heavy in loaded.items() if heavy} == {}
    assert list(tmp_path.iterdir()) == []


def test_the_command_starts_without_pandas_and_prefect(tmp_path: Path) -> None:
    loaded = load(["evergreen.cli"], HEAVY | {"pandas", "prefect", "numpy", "fastapi"}, tmp_path)
    assert loaded == {"evergreen.cli": set()}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "package"), OWN_PROCESS.items())
def test_an_exception_is_one(name: str, package: str, tmp_path: Path) -> None:
    assert package in load([name], HEAVY, tmp_path)[name]


def test_each_module_can_be_the_first(tmp_path: Path) -> None:
    """No import cycle that only another order of imports would show."""
    command = [sys.executable, "-B", "-c", FORGET, " ".join(modules("src/pipelines"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr


def test_help_is_quick_to_say(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "evergreen"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert done.returncode == 0
    wanted = "init up down status apply train deploy rollback score labels monitor history report"
    assert [word for word in wanted.split() if word not in done.stdout] == []
    assert list(tmp_path.iterdir()) == []
