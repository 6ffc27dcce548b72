"""A flow is a page that reads top to bottom: short, no `try`, each parameter described for Prefect's form."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from typing import Any

import pytest
from prefect import Flow
from prefect.utilities.callables import parameter_schema

import flows

LONGEST = 45  # lines of a body
MODULES = [importlib.import_module(f"flows.{found.name}") for found in pkgutil.iter_modules(flows.__path__)]
FLOWS: dict[str, Flow[..., Any]] = {
    f"{module.__name__}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Flow) and value.fn.__module__ == module.__name__
}
every_flow = pytest.mark.parametrize("flow", FLOWS.values(), ids=list(FLOWS))


def body_of(flow: Flow[..., Any]) -> list[ast.stmt]:
    """The statements below the docstring."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(flow.fn)))
    assert isinstance(tree.body[0], ast.FunctionDef)
    return tree.body[0].body[1:]


@every_flow
def test_a_flow_is_a_page(flow: Flow[..., Any]) -> None:
    body = body_of(flow)
    assert (body[-1].end_lineno or 0) - body[0].lineno + 1 <= LONGEST
    assert not [
        node for part in body for node in ast.walk(part) if isinstance(node, ast.Try | ast.FunctionDef)
    ]


@every_flow
def test_each_parameter_is_described(flow: Flow[..., Any]) -> None:
    described = parameter_schema(flow.fn).properties
    assert set(described) == set(inspect.signature(flow.fn).parameters)
    assert [name for name, schema in described.items() if not schema.get("description")] == []


@every_flow
def test_a_run_has_a_readable_name(flow: Flow[..., Any]) -> None:
    assert flow.description
    if "pipeline" in inspect.signature(flow.fn).parameters:
        assert str(flow.flow_run_name).endswith("-{pipeline}")


def test_names_are_unique() -> None:
    names = [flow.name for flow in FLOWS.values()]
    assert len(set(names)) == len(names)
