"""Processes of their own that need not import anything first: they are forked from one that has.

Where a test is not about how a process starts, that saves it seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# A fork ends by `_exit`: at a plain end DuckDB waits for threads that only the first process has.
FORK = """
import json, os, sys, traceback

def run(code, words):
    sys.argv[:] = ["-c", *words]
    try:
        exec(compile(code, "<forked>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0

exec(sys.argv[1])
for line in sys.stdin:
    asked = json.loads(line)
    if "wait" in asked:
        _, status, used = os.wait4(asked["wait"], 0)
        print(os.waitstatus_to_exitcode(status), used.ru_maxrss, flush=True)
    elif (child := os.fork()):
        print(child, flush=True)
    else:
        os.chdir(asked["folder"])
        for number, path in enumerate((os.devnull, asked["out"], asked["err"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
        code = run(asked["code"], asked["words"])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
"""


@dataclass(frozen=True)
class Done:
    """How a process ended; `peak` is the most memory that it had, in KiB, with what it was forked with."""

    code: int
    out: str
    err: str
    peak: int


@dataclass(frozen=True)
class Child:
    """A process that runs."""

    pid: int
    out: Path
    err: Path


class Forks:
    """A process that has run `imports` and forks itself when it is asked to; `folder` is for what is said."""

    def __init__(self, folder: Path, imports: str, environment: dict[str, str] | None = None) -> None:
        self.folder, self.count = folder, 0
        values = dict(os.environ) if environment is None else environment
        values = {k: v for k, v in values.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.environment = values | {"PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-c", FORK, imports]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment
        )

    def start(self, code: str, *words: object, folder: Path = ROOT) -> Child:
        """Run `code`, with `words` as its arguments, in `folder`."""
        self.count += 1
        out, err = (self.folder / f"{self.count}.{name}" for name in ("out", "err"))
        out.touch()
        err.touch()
        pid = self._ask(
            code=code, words=list(map(str, words)), folder=str(folder), out=str(out), err=str(err)
        )
        return Child(int(pid), out, err)

    def wait(self, child: Child) -> Done:
        code, peak = map(int, self._ask(wait=child.pid).split())
        return Done(code, child.out.read_text(), child.err.read_text(), peak)

    def run(self, code: str, *words: object, folder: Path = ROOT) -> Done:
        return self.wait(self.start(code, *words, folder=folder))

    def close(self) -> None:
        """End the process from which the others were forked."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _ask(self, **words: Any) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()
