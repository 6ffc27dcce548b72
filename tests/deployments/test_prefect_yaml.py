"""prefect.yaml says what it means: Prefect ignores a key it does not know, and then everything matches."""

from __future__ import annotations

import copy
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.cli.deploy._models import (
    ConcurrencyLimitSpec,
    DeploymentConfig,
    PrefectYamlModel,
    RawScheduleConfig,
    WorkPoolConfig,
)
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.utilities.importtools import import_object
from pydantic import BaseModel

from evergreen.apply import declaration, declare
from pipelines.clock import now
from pipelines.config import PipelineConfig, load_config
from pipelines.records import Cause
from tasks.publishing import RETRAIN_EVENT, resource_id, retrain_event

ROOT = Path(__file__).parents[2]
DEFINITION = ROOT / "examples/rides/pipeline.yaml"
DECLARED = declaration()
DEPLOYMENTS: list[dict[str, Any]] = DECLARED["deployments"]
IDS = [entry["entrypoint"] for entry in DEPLOYMENTS]
TRIGGERS = [(entry, trigger) for entry in DEPLOYMENTS for trigger in entry.get("triggers", [])]


def unknown_keys(declared: dict[str, Any]) -> list[str]:
    """Keys that Prefect would pass over in silence, as `entrypoint: section.key`."""
    found = [
        f"prefect.yaml: {k}" for k in strange(declared, PrefectYamlModel, {"definitions", "prefect-version"})
    ]
    for entry in declared["deployments"]:
        sections: list[tuple[str, Any, type[BaseModel]]] = [
            ("", entry, DeploymentConfig),
            ("work_pool.", entry.get("work_pool", {}), WorkPoolConfig),
            ("concurrency_limit.", entry.get("concurrency_limit", {}), ConcurrencyLimitSpec),
            *(("schedules.", schedule, RawScheduleConfig) for schedule in entry.get("schedules", [])),
            *(("triggers.", trigger, DeploymentEventTrigger) for trigger in entry.get("triggers", [])),
        ]
        found += [
            f"{entry['entrypoint']}: {prefix}{key}"
            for prefix, section, model in sections
            for key in strange(section, model)
        ]
    return found


def strange(
    section: dict[str, Any], model: type[BaseModel], more: frozenset[str] | set[str] = frozenset()
) -> set[str]:
    return set(section) - set(model.model_fields) - more


def flow_of(entry: dict[str, Any]) -> Flow[..., Any]:
    found = import_object(entry["entrypoint"])
    assert isinstance(found, Flow)
    return found


def other_pipeline() -> PipelineConfig:
    """A pipeline that is not the example's."""
    config = load_config(DEFINITION)
    monitoring = config.monitoring.model_copy(update={"schedule": "30 5 * * 1"})
    retraining = config.retraining.model_copy(update={"schedule": "0 3 1 * *"})
    return config.model_copy(update={"pipeline": "bikes", "monitoring": monitoring, "retraining": retraining})


def test_every_key_is_known() -> None:
    assert unknown_keys(DECLARED) == []


@pytest.mark.parametrize("key", ["expect", "match", "threshold", "parameters", "posture"])
def test_a_misspelt_trigger_key_is_caught(key: str) -> None:
    wrong = copy.deepcopy(DECLARED)
    trigger = next(t for entry in wrong["deployments"] for t in entry.get("triggers", []))
    trigger[f"{key}t"] = trigger.pop(key)
    assert unknown_keys(wrong) == [f"flows.training.training: triggers.{key}t"]
    # Prefect itself takes it, which is why this file exists.
    assert key == "posture" or DeploymentEventTrigger.model_validate(trigger)


@pytest.mark.parametrize("key", ["schedules", "concurrency_limit", "parameters"])
def test_a_misspelt_deployment_key_is_caught(key: str) -> None:
    wrong = copy.deepcopy(DECLARED)
    entry = next(e for e in wrong["deployments"] if key in e)
    entry[f"{key}_"] = entry.pop(key)
    assert unknown_keys(wrong) == [f"{entry['entrypoint']}: {key}_"]


@pytest.mark.parametrize("entry", DEPLOYMENTS, ids=IDS)
def test_the_entrypoint_is_a_flow_that_takes_the_parameters(entry: dict[str, Any]) -> None:
    taken = inspect.signature(flow_of(entry).fn).parameters
    given = set(entry.get("parameters", {}))
    given |= {key for trigger in entry.get("triggers", []) for key in trigger.get("parameters", {})}
    assert given <= set(taken)
    # What a schedule or an event starts has nobody to ask for the rest.
    required = {name for name, p in taken.items() if p.default is inspect.Parameter.empty}
    assert not (entry.get("schedules") or entry.get("triggers")) or required <= given


@pytest.mark.parametrize("entry", DEPLOYMENTS, ids=IDS)
def test_the_example_is_there(entry: dict[str, Any]) -> None:
    path = entry.get("parameters", {}).get("pipeline")
    assert path is None or load_config(ROOT / path).pipeline == entry["name"]


@pytest.mark.parametrize("entry", DEPLOYMENTS, ids=IDS)
def test_schedules_and_limits_are_sane(entry: dict[str, Any]) -> None:
    for schedule in entry.get("schedules", []):
        assert CronSchedule.model_validate(schedule).timezone == "UTC"
    limit = entry.get("concurrency_limit")
    if limit is not None:
        assert 1 <= limit["limit"] <= 4
        assert limit["collision_strategy"] in set(ConcurrencyLimitStrategy)
    assert DeploymentConfig.model_validate(entry).description


def test_what_changes_the_champion_runs_one_at_a_time() -> None:
    alone = {"flows.training.training", "flows.serving.deploy", "flows.serving.rollback"}
    limits = {entry["entrypoint"]: entry.get("concurrency_limit", {}).get("limit") for entry in DEPLOYMENTS}
    assert {limits[name] for name in alone} == {1}


def test_names_are_unique_for_each_flow() -> None:
    names = [f"{flow_of(entry).name}/{entry['name']}" for entry in DEPLOYMENTS]
    assert len(set(names)) == len(names)


def test_the_example_is_scheduled_as_its_definition_says() -> None:
    declared = {e["entrypoint"]: e.get("schedules") for e in declare(load_config(DEFINITION))["deployments"]}
    written = {e["entrypoint"]: e.get("schedules") for e in DEPLOYMENTS}
    assert declared["flows.monitoring.monitoring"] == written["flows.monitoring.monitoring"]


def test_the_drift_trigger_hears_what_monitoring_says() -> None:
    ((entry, trigger),) = TRIGGERS
    assert trigger["expect"] == [RETRAIN_EVENT]
    assert trigger["match"] == {"prefect.resource.id": resource_id("rides")}
    check_trigger(entry, trigger, "rides")


def check_trigger(entry: dict[str, Any], trigger: dict[str, Any], pipeline: str) -> None:
    """The real event of a cause sets the trigger off, and has every field that its templates name."""
    cause = Cause(id="c1", pipeline=pipeline, kind="drift", reason="r", version=1, created=now())
    event = retrain_event(cause)
    parsed = DeploymentEventTrigger.model_validate(trigger)
    assert event["event"] in parsed.expect
    assert parsed.match.root.items() <= event["resource"].items()  # type: ignore[attr-defined]
    assert parsed.threshold == 1
    assert entry["entrypoint"] == "flows.training.training"
    fields = [re.findall(r"{{\s*event\.payload\.(\w+)\s*}}", str(v)) for v in trigger["parameters"].values()]
    assert all(fields)
    assert {name for names in fields for name in names} <= set(event["payload"])  # type: ignore[call-overload]


def test_another_pipeline_is_declared_alike() -> None:
    declared = declare(other_pipeline())
    assert unknown_keys(declared) == []
    assert "rides" not in yaml.safe_dump(declared["deployments"])
    for entry in declared["deployments"]:
        test_the_entrypoint_is_a_flow_that_takes_the_parameters(entry)
        test_schedules_and_limits_are_sane(entry)
    mine = {e["entrypoint"]: e for e in declared["deployments"]}
    assert set(mine) == {name for name in IDS if not name.startswith("examples.")}
    assert mine["flows.monitoring.monitoring"]["schedules"][0]["cron"] == "30 5 * * 1"
    assert mine["flows.training.training"]["schedules"][0]["cron"] == "0 3 1 * *"
    assert {e["parameters"]["pipeline"] for e in mine.values() if e["name"] == "bikes"} == {"bikes"}
    training = mine["flows.training.training"]
    assert training["triggers"][0]["match"] == {"prefect.resource.id": resource_id("bikes")}
    check_trigger(training, training["triggers"][0], "bikes")
