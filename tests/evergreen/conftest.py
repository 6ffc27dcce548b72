"""The command in processes that have imported it already, and in one for all that runs a flow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.forking import Done, Forks

# One process, since each that runs a flow would start a server of its own, and make its database.
SESSION = """
import json, os, sys
from evergreen.cli import app

for line in sys.stdin:
    folder, words = json.loads(line)
    os.chdir(folder)
    os.environ.pop("EVERGREEN_HOME", None)  # that of the command before
    code = app([*words, "--json"], standalone_mode=False)
    print(code, flush=True)
"""


@dataclass(frozen=True)
class Said:
    """How one call of the command ended."""

    code: int
    answer: dict[str, Any]
    log: str


def environment() -> dict[str, str]:
    """Without what earlier tests may have set."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "EVERGREEN_"))}


Evergreen = Callable[..., Done]
Say = Callable[..., Said]


@pytest.fixture(scope="package")
def evergreen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evergreen]:
    """Call the command: `evergreen(folder, *words)`."""
    imports = "import evergreen.cli, pipelines.registration, pandas"
    code = "from evergreen.cli import main; main()"
    forks = Forks(tmp_path_factory.mktemp("commands"), imports, environment())
    yield lambda folder, *words: forks.run(code, *words, folder=folder)
    forks.close()


@pytest.fixture(scope="package")
def say(evergreen: Evergreen) -> Say:
    """Call the command with --json; its standard output is one JSON object and nothing else."""

    def call(folder: Path, *words: str) -> Said:
        done = evergreen(folder, *words, "--json")
        assert "Traceback" not in done.err
        assert len(done.out.splitlines()) == 1, done.out
        return Said(done.code, json.loads(done.out), done.err)

    return call


@pytest.fixture(scope="package")
def say_flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Say]:
    """As `say`, for commands that run a flow."""
    log = tmp_path_factory.mktemp("flows") / "log"
    with log.open("wb") as errors:
        command = [sys.executable, "-c", SESSION]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(),
        )
    assert process.stdin
    assert process.stdout

    def call(folder: Path, *words: str) -> Said:
        before = log.stat().st_size
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([str(folder), words]) + "\n")
        process.stdin.flush()
        answer, code = process.stdout.readline(), process.stdout.readline()
        said = log.read_bytes()[before:].decode()
        assert code, said
        assert "Traceback" not in said, said
        return Said(int(code), json.loads(answer), said)

    yield call
    process.stdin.close()
    process.wait()
    process.stdout.close()
