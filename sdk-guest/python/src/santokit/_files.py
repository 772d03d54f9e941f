"""Modules from memory: the machine has no files.

The standard library lies here compressed, taken in when the machine is made; the developer's files come with the logic. So
an import inside a function works as well.
"""

from __future__ import annotations

import copy
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from types import CodeType, ModuleType
from typing import Any

# What a logic has no use for: other machines' windows, terminals and installers; tests.
_LEFT_OUT = {
    "_pyrepl", "config-3.14-wasm32-wasi", "ctypes", "curses", "dbm", "ensurepip", "idlelib", "multiprocessing",
    "pydoc_data", "site-packages", "sqlite3", "test", "tests", "tkinter", "turtledemo", "venv", "__pycache__",
}  # fmt: skip


class Finder(importlib.metadata.DistributionFinder, importlib.abc.InspectLoader):
    """Finds and loads modules by their paths in memory."""

    def __init__(self) -> None:
        # By path: the content, or its compressed form.
        self._files: dict[str, bytes | _Compressed] = {}
        # Where modules begin, in the order in which they are looked for.
        self._roots: list[str] = []
        self._code: dict[str, CodeType] = {}

    def install(self) -> None:
        """Takes the place of the path, which leads nowhere in the frozen machine."""
        sys.path.clear()
        sys.path_importer_cache.clear()
        sys.meta_path = [finder for finder in sys.meta_path if finder is not importlib.machinery.PathFinder]
        sys.meta_path.append(self)

    def add_standard_library(self) -> None:
        """Reads it from where it is now, while the machine is made."""
        # Not the place of `os`, which is part of the interpreter and is told to be where nothing is.
        root = os.path.dirname(copy.__file__)
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(set(folders) - _LEFT_OUT)
            for name in sorted(names):
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    with open(path, "rb") as file:
                        self._files[path] = _Compressed(file.read())
        self._roots.append(root + "/")

    def add(self, files: dict[str, bytes], root: str) -> None:
        """The logic's own files come before everything that is found by path."""
        self._files.update({root + path: content for path, content in files.items()})
        self._roots.insert(len(self._roots) - 1, root)
        importlib.invalidate_caches()

    def compile(self, path: str, content: bytes) -> CodeType:
        """The code of a file; the path is what a traceback shows."""
        code = self._code.get(path)
        if code is None:
            code = self._code[path] = compile(content, path, "exec", dont_inherit=True)
        return code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        tail = fullname.rpartition(".")[2]
        folders: Iterable[str] = self._roots if path is None else [f"{folder}/" for folder in path]
        for folder in folders:
            package = f"{folder}{tail}/__init__.py"
            if package in self._files:
                return self._spec(fullname, package, [f"{folder}{tail}"])
            if f"{folder}{tail}.py" in self._files:
                return self._spec(fullname, f"{folder}{tail}.py", None)
        # A folder without __init__.py is a package as well, of all folders of its name.
        spaces = [f"{folder}{tail}" for folder in folders if self._has_folder(f"{folder}{tail}/")]
        if not spaces:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = spaces
        return spec

    def _spec(self, name: str, path: str, folders: list[str] | None) -> importlib.machinery.ModuleSpec:
        spec = importlib.machinery.ModuleSpec(name, self, origin=path, is_package=folders is not None)
        spec.has_location = True
        spec.submodule_search_locations = folders
        return spec

    def _has_folder(self, folder: str) -> bool:
        return any(path.startswith(folder) for path in self._files)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        path = module.__spec__.origin if module.__spec__ else None
        assert path is not None
        exec(self.compile(path, self.get_data(path)), module.__dict__)

    def get_data(self, path: str) -> bytes:
        """The content of a file, for `pkgutil.get_data` too."""
        found = self._files.get(os.path.normpath(path))
        if found is None:
            raise FileNotFoundError(f"there is no file {path} in this logic")
        return found.content() if isinstance(found, _Compressed) else found

    def get_source(self, fullname: str) -> str | None:
        """For tracebacks that show the line."""
        module = sys.modules.get(fullname)
        spec = module.__spec__ if module else self.find_spec(fullname, None)
        if spec is None or spec.origin is None:
            return None
        return importlib.util.decode_source(self.get_data(spec.origin))

    def is_package(self, fullname: str) -> bool:
        return hasattr(sys.modules.get(fullname), "__path__")

    def get_filename(self, fullname: str) -> str:
        spec = sys.modules[fullname].__spec__
        if spec is None or spec.origin is None:
            raise ImportError(f"{fullname} is no file")
        return spec.origin

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context = importlib.metadata.DistributionFinder.Context()
    ) -> Iterator[importlib.metadata.Distribution]:
        for path in self._files:
            folder, _, name = path.rpartition("/")
            if name == "METADATA" and folder.endswith(".dist-info"):
                found = _Distribution(self, folder)
                if context.name is None or _normal(found.metadata["Name"]) == _normal(context.name):
                    yield found

    def invalidate_caches(self) -> None:
        pass


class _Compressed:
    def __init__(self, content: bytes) -> None:
        self._packed = zlib.compress(content, 9)

    def content(self) -> bytes:
        return zlib.decompress(self._packed)


class _Distribution(importlib.metadata.Distribution):
    """What an installed package says of itself: many ask for their own version."""

    def __init__(self, finder: Finder, folder: str) -> None:
        self._finder = finder
        self._folder = folder

    def read_text(self, filename: Any) -> str | None:
        try:
            return self._finder.get_data(f"{self._folder}/{filename}").decode()
        except FileNotFoundError:
            return None

    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(f"there is no file {path} in this logic")


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
