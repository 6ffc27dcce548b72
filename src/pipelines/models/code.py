"""The user's own modules: found beside the definition, copied into the model, imported from what was read.

Each content has a package of its own, named by its hash, so that versions of one module live side by side in
a process, and a fitted object says by its type's name which code it belongs to.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib
import importlib.abc
import importlib.util
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from pipelines.config import PipelineConfig
from pipelines.errors import ConfigError

CODE = "code"  # folder of a bundle
PACKAGE = "evergreen_code_"
MOST_BYTES = 2_000_000  # source that travels with a model; more is a library, to be installed
LOADING = threading.Lock()


def own_references(config: PipelineConfig) -> dict[str, str]:
    """`module:function` by the key of pipeline.yaml that names it."""
    named = {
        "model": config.model.kind if config.model.own else None,
        "features": config.features,
        "training.loss": config.training.loss if ":" in config.training.loss else None,
    }
    return {key: reference for key, reference in named.items() if reference}


def read_sources(config: PipelineConfig) -> dict[str, bytes]:
    """The user's modules by relative path: those that the definition names, and what they import beside it.

    Raises ConfigError where a module is not found, or is too large to travel with a model.
    """
    sources: dict[str, bytes] = {}
    for key, reference in own_references(config).items():
        sources |= read_module(config.folder, key, reference)
    if sum(map(len, sources.values())) > MOST_BYTES:
        raise ConfigError(
            f"{', '.join(own_references(config))}: the modules have more than {MOST_BYTES:,} bytes of source,"
            " which travel with the model.",
            "Name a small module of your own that imports what is installed.",
        )
    return dict(sorted(sources.items()))


def read_module(folder: Path, key: str, reference: str) -> dict[str, bytes]:
    """The module that `key` of a definition in `folder` names, and what it imports there, by relative path.

    Raises ConfigError where it is not found.
    """
    module = reference.partition(":")[0]
    top = module.partition(".")[0]
    root = folder if files_of(folder, top) else installed_in(top)
    found = collect(root, top) if root else {}
    path = module.replace(".", "/")
    if not {f"{path}.py", f"{path}/__init__.py"} & found.keys():
        raise ConfigError(
            f"{key}: {reference}: no module {module!r} in {folder}, nor one installed.",
            f"Put {path}.py beside pipeline.yaml.",
        )
    return found


def collect(root: Path, top: str) -> dict[str, bytes]:
    """A module's files and, as far as they lie in the same folder, those of the modules it imports."""
    found: dict[str, bytes] = {}
    waiting, seen = [top], {top}
    while waiting:
        for file in files_of(root, waiting.pop()):
            found[file.relative_to(root).as_posix()] = file.read_bytes()
            fresh = imported_by(file) - seen
            seen |= fresh
            # Beside a definition everything is the user's; what is installed stays where it is.
            waiting += sorted(fresh) if "site-packages" not in file.parts else []
    return found


def files_of(root: Path, top: str) -> list[Path]:
    """The source of a module or package that lies in a folder."""
    single = root / f"{top}.py"
    return [single] if single.is_file() else sorted((root / top).rglob("*.py"))


def installed_in(top: str) -> Path | None:
    """The folder that an importable module lies in."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or []) if spec else []
    origin = places[0] if places else spec.origin if spec and spec.has_location else None
    return Path(origin).parent if origin else None


def imported_by(file: Path) -> set[str]:
    """The first names of all that a module imports; a file that is no Python imports nothing."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def hash_sources(sources: Mapping[str, bytes]) -> str:
    """What identifies the code: 12 hex digits."""
    parts = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(sources.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def keep_code(config: PipelineConfig, folder: Path) -> PipelineConfig:
    """Copy the user's modules to `folder` and take them from there: the definition, moved.

    What is there already stays: an attempt that goes on after a crash goes on with the code it began with.
    """
    if not own_references(config):
        return config
    if not folder.is_dir():
        sources = read_sources(config)
        draft = folder.with_name(f"{folder.name}.part")
        for name, content in sources.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(content)
        draft.replace(folder)
    return config.model_copy(update={"folder": folder})


# ------------------------------------------------------------------------------------------------ import


class CodePackage(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):  # type: ignore[misc]  # typeshed
    """Finds and runs the modules of one content; from memory, so that what was hashed is what runs."""

    def __init__(self, name: str, folder: Path, sources: Mapping[str, bytes]) -> None:
        self.name, self.folder, self.sources = name, folder, sources
        self.tops = {path.partition("/")[0].removesuffix(".py") for path in sources}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{self.name}.") or self._path(fullname) is None:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def _path(self, fullname: str) -> str | None:
        """The relative path of a module's source; a folder without __init__.py is a package, too."""
        stem = fullname.removeprefix(f"{self.name}.").replace(".", "/")
        if f"{stem}.py" in self.sources:
            return f"{stem}.py"
        return f"{stem}/__init__.py" if any(p.startswith(f"{stem}/") for p in self.sources) else None

    def get_filename(self, fullname: str) -> str:
        return str(self.folder / (self._path(fullname) or ""))

    def get_data(self, path: str) -> bytes:
        return self.sources.get(Path(path).relative_to(self.folder).as_posix(), b"")

    def exec_module(self, module: ModuleType) -> None:
        """Its imports of modules that travel with it find those, whenever they are run."""
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._import}
        super().exec_module(module)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or top not in self.tops:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        importlib.import_module(f"{self.name}.{name}")
        if fromlist:
            return builtins.__import__(f"{self.name}.{name}", globals, locals, fromlist, 0)
        return sys.modules[f"{self.name}.{top}"]


def open_code(folder: Path) -> str:
    """The name of the package that has the code in `folder`; nothing is run yet."""
    return open_sources(
        folder, {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*.py"))}
    )


def open_sources(folder: Path, sources: Mapping[str, bytes]) -> str:
    """The name of the package that has these modules of `folder`; nothing is run yet."""
    name = f"{PACKAGE}{hash_sources(sources)}"
    with LOADING:
        if name not in sys.modules:
            package = ModuleType(name)
            package.__path__ = []
            sys.modules[name] = package
            sys.meta_path.insert(0, CodePackage(name, folder, sources))
    return name


def find_function(folder: Path, key: str, reference: str) -> Callable[..., Any]:
    """The function that the definition names, from the code in `folder`. Raises ConfigError."""
    return import_function(open_code(folder), key, reference)


def find_beside(folder: Path, key: str, reference: str) -> Callable[..., Any]:
    """As `find_function`, for code that does not travel with a model but lies beside the definition."""
    return import_function(open_sources(folder, read_module(folder, key, reference)), key, reference)


def import_function(package: str, key: str, reference: str) -> Callable[..., Any]:
    module, _, function = reference.partition(":")
    try:
        found = getattr(importlib.import_module(f"{package}.{module}"), function, None)
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{key}: {module} cannot be imported: {describe(error)}.", "Mend the module."
        ) from error
    if not callable(found):
        what = "has no function" if found is None else "has something that is no function under the name"
        raise ConfigError(f"{key}: the module {module} {what} {function!r}.", "Mend the module or the name.")
    return found  # type: ignore[no-any-return]  # the user's


def place_in_code(error: BaseException) -> str:
    """File and line of the user's code that raised, or called what did; empty where none was at fault."""
    place, trace = "", error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if isinstance(package := frame.f_globals.get("__loader__"), CodePackage):
            file = Path(frame.f_code.co_filename).relative_to(package.folder)
            place = f" ({file}, line {trace.tb_lineno})"
        elif frame.f_globals.get("__name__", "").startswith("torch.distributed"):
            place = ""  # another worker died while this one waited for it
        trace = trace.tb_next
    return place


def describe(error: BaseException) -> str:
    """What was raised, and where in the user's code."""
    place = place_in_code(error)
    if isinstance(error, SyntaxError) and error.filename:
        place = f" ({Path(error.filename).name}, line {error.lineno})"
        return f"SyntaxError: {error.msg}{place}"
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + words[0][:300] if words else ''}{place}"
