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
FIRST = """
import sys, importlib

def loaded():
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "pipelines"}

def load_first(name, known):
    for other in loaded().keys() - known.keys():
        del sys.modules[other]
    sys.modules.update(known)
    importlib.import_module(name)

import pipelines.config, pipelines.records
known = loaded()
for name in sys.argv[1].split():
    load_first(name, {} if name in known else known)
"""
WITHOUT = """
import sys, importlib

class Absent:
    def find_spec(self, name, path, target=None):
        if name == package:
            raise ImportError(name, name=name)

sys.meta_path.insert(0, Absent())
for pair in sys.argv[1].split():
    module, _, package = pair.partition("=")
    for loaded in [one for one in sys.modules if one.partition(".")[0] == package]:
        del sys.modules[loaded]
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(module, error.name)
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


def run(program: str, words: str, folder: Path) -> str:
    command = [sys.executable, "-B", "-c", program, words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_exception_is_one(tmp_path: Path) -> None:
    """Where its package cannot be imported, it cannot."""
    pairs = " ".join(f"{name}={package}" for name, package in OWN_PROCESS.items())
    said = run(WITHOUT, pairs, tmp_path)
    assert dict(line.split() for line in said.splitlines()) == OWN_PROCESS


def test_each_module_can_be_the_first(tmp_path: Path) -> None:
    """No import cycle that only another order of imports would show.

    What `config` and `records` import, all of it, is loaded anew for those modules alone: in no cycle is one
    of them and one of the others.
    """
    run(FIRST, " ".join(modules("src/pipelines")), tmp_path)


def test_help_is_quick_to_say(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "evergreen"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert done.returncode == 0
    wanted = "init up down status apply train deploy rollback score labels monitor history report"
    assert [word for word in wanted.split() if word not in done.stdout] == []
    assert list(tmp_path.iterdir()) == []
