"""`tasks/` is a policy table: library functions under a policy, and steps where Prefect is the work."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect import Task
from prefect.cache_policies import NO_CACHE

import tasks
from pipelines.config import Measuring
from pipelines.records import ServedModel
from tasks.policies import BY_ATTEMPT, attempt_key

MODULES = [importlib.import_module(f"tasks.{found.name}") for found in pkgutil.iter_modules(tasks.__path__)]
TASKS: dict[str, Task[..., Any]] = {
    name: value for module in MODULES for name, value in vars(module).items() if isinstance(value, Task)
}

# name: (retries, timeout in seconds, cached). A training is limited by its definition's `training.timeout`.
POLICY = {
    "stage_batch": (2, None, False),
    "stage_replay": (0, None, False),
    "accept_batch": (0, None, False),
    "accept_replay": (0, None, False),
    "vacuum_pipeline": (0, None, False),
    "compact": (0, None, False),
    "validate_batch": (0, None, False),
    "fit_model": (0, None, False),
    "train_again": (0, None, False),
    "compare_versions": (0, None, False),
    "keep_reproduction": (0, None, False),
    "evaluate_model": (0, None, True),
    "keep_reference": (0, None, False),
    "log_attempt": (2, None, False),
    "register_version": (2, None, False),
    "promote": (0, None, False),
    "challenge": (2, None, False),
    "settle_pipeline": (2, None, False),
    "choose_version": (0, None, False),
    "roll_back": (0, None, False),
    "restore_champion": (0, None, False),
    "score_file": (0, None, False),
    "add_labels": (0, None, False),
    "measure_window": (0, None, False),
    "judge_window": (0, None, False),
    "publish": (0, None, False),
    "publish_validation": (0, None, False),
    "publish_judgment": (2, None, False),
    "publish_decisions": (2, None, False),
    "request_approval": (0, None, False),
    "approve": (0, None, False),
    "reject": (0, None, False),
    "expire_approvals": (0, None, False),
    "finish_approvals": (0, None, False),
    "send_causes": (2, None, False),
    "stop_cancelled": (0, None, False),
}
OURS = {  # Prefect itself
    "fit_model",
    "publish",
    "publish_validation",
    "publish_judgment",
    "publish_decisions",
    "send_causes",
    "stop_cancelled",
}


def test_the_table_is_this_one() -> None:
    found = {
        name: (task.retries, task.timeout_seconds, task.cache_policy is BY_ATTEMPT)
        for name, task in TASKS.items()
    }
    assert found == POLICY


@pytest.mark.parametrize("name", sorted(set(TASKS) - OURS))
def test_a_step_is_the_librarys(name: str) -> None:
    function = TASKS[name].fn
    assert function.__module__.startswith("pipelines.")
    assert TASKS[name].name == function.__name__
    assert inspect.getdoc(function)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_what_is_not_known_by_its_content_is_not_cached(name: str) -> None:
    assert TASKS[name].cache_policy in (NO_CACHE, BY_ATTEMPT)
    assert TASKS[name].persist_result is (True if TASKS[name].cache_policy is BY_ATTEMPT else None)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_no_task_calls_a_task(name: str) -> None:
    function = TASKS[name].fn
    module = inspect.getmodule(function)
    tree = ast.parse(inspect.getsource(function).strip())
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not [n for n in called if isinstance(getattr(module, n, None), Task) and n != name]


def test_few_modules_define_steps() -> None:
    defined = {name for name, task in TASKS.items() if task.fn.__module__.startswith("tasks.")}
    assert defined == OURS
    assert {TASKS[name].fn.__module__ for name in defined} == {
        "tasks.cancelling",
        "tasks.publishing",
        "tasks.training",
    }


def test_a_step_is_known_by_attempt_champion_measures_and_result(tmp_path: Path) -> None:
    """Another home's result of the same attempt, or one made anew, is another: its files may be gone."""

    class Context:
        task = TASKS["evaluate_model"]

    @dataclass
    class Attempt:
        folder: str
        id: str = "rides-1"

    @dataclass
    class Config:
        evaluation: Measuring
        folder: Path = tmp_path

    def key(home: str, champion: ServedModel | None = None, **measured: Any) -> str:
        folder = tmp_path / home
        folder.mkdir(exist_ok=True)
        if not (folder / "result.json").exists():
            (folder / "result.json").touch()
        asked = Config(Measuring.model_validate(measured))
        return attempt_key(context, {"config": asked, "attempt": Attempt(str(folder)), "champion": champion})

    context: Any = Context()
    served = ServedModel(pipeline="rides", version=3, folder="f", files={})
    assert key("a") == key("a")
    assert len({key("a"), key("b"), key("a", served)}) == 3
    (tmp_path / "money.py").write_text("def worth(rows): return rows.x")
    asked = key("a", value="money:worth")
    (tmp_path / "money.py").write_text("def worth(rows): return rows.y")
    assert len({key("a"), asked, key("a", value="money:worth")}) == 3
    before = key("a")
    (tmp_path / "a" / "result.json").unlink()
    assert key("a") != before
