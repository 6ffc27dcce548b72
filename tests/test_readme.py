"""The README is true: its tree is the disk's, its make targets and commands exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = "src/pipelines/"


def tree() -> list[str]:
    """Every path that the README's tree names; an indented one lies in the folder above it."""
    match = re.search(r"## The tree\n+```text\n(.*?)```", README, re.DOTALL)
    assert match is not None
    paths, folder = [], ""
    for line in match[1].splitlines():
        name = line.split()[0]
        folder = folder if line.startswith(" ") else name
        paths.append(f"{folder}{name}" if line.startswith(" ") else name)
    return paths


def tracked() -> list[str]:
    """The files that git keeps."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        pytest.skip(f"not a git checkout: {done.stderr.strip()}")
    return done.stdout.rstrip("\0").split("\0")


def test_the_tree_names_what_is_there() -> None:
    paths = tree()
    assert len(paths) == len(set(paths))
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [path for path in paths if (ROOT / path).is_dir() != path.endswith("/")] == []


def test_the_tree_names_every_entry_of_the_root() -> None:
    named = {path.partition("/")[0] for path in tree()}
    assert {path.partition("/")[0] for path in tracked()} - named == set()


def test_the_tree_names_every_package_of_src() -> None:
    found = {path.parent.name for path in (ROOT / "src").glob("*/__init__.py")}
    assert {f"src/{name}/" for name in found} - set(tree()) == set()


def test_the_tree_names_every_part_of_the_library() -> None:
    modules = {path.name for path in (ROOT / PACKAGE).glob("*.py")} - {"__init__.py"}
    packages = {f"{path.parent.name}/" for path in (ROOT / PACKAGE).glob("*/__init__.py")}
    named = {path.removeprefix(PACKAGE) for path in tree() if path.startswith(PACKAGE)} - {""}
    assert named == modules | packages


def test_make_targets_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", README))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "install"} <= named
    assert named - targets == set()


def test_commands_exist() -> None:
    from evergreen.cli import app

    known = {info.name or info.callback.__name__ for info in app.registered_commands if info.callback}
    in_code = re.findall(r"(?:^|&& |`|bin/)evergreen ([a-z]+)", README, re.MULTILINE)
    listed = re.search(r"`evergreen --help` lists `([a-z\s]+)`", README)
    assert listed is not None
    assert set(in_code) - known == set()
    assert {"init", "train", "up", "apply", "score", "labels", "monitor", "report"} <= set(in_code)
    assert set(listed[1].split()) == known


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert "docs/loop.svg" in targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
