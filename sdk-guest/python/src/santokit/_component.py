"""What the machine exports: the loader that `stk` calls while it builds, and the handler.

`stk` has componentize-py make a component of this module once. For each logic that component is started, told to load the
developer's files, and frozen again: so that a build takes a second, and the same machine and source are the same component.
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import pkgutil
import random
import sys
import traceback
import warnings
from typing import Any

import wit_world.imports
from componentize_py_types import Err
from wit_world.exports import cron_handler as wit_cron_handler
from wit_world.exports import event_handler as wit_event_handler
from wit_world.exports import handler as wit_handler

import santokit
from santokit import _host, handler
from santokit._files import Finder
from santokit._reach import reachable
from santokit.errors import NoHostError
from santokit.handler import Event, Run

_finder = Finder()
_urandom = os.urandom


class Handler:
    """The world's export `santokit:logic/handler`."""

    def handle(self, input: bytes) -> bytes:
        _host.connect()
        # The state of a fresh instance is the frozen one: its numbers would be those of every other instance.
        random.seed(_urandom(16))
        try:
            return handler.run(input)
        except handler.Refused as refused:
            error = wit_handler.LogicError(refused.code, refused.message, refused.details)
        except handler.Failed:
            # Everything is said; the guest ends without another word.
            os.abort()
        raise Err(error)


class EventHandler:
    """The world's export `santokit:events/event-handler`."""

    def on_event(self, event: Any, payload: bytes) -> None:
        _host.connect()
        random.seed(_urandom(16))
        told = Event(event.id, event.topic, event.published_at, event.attempt, event.caused_by, event.depth)
        try:
            handler.run_event(told, payload)
            return
        except handler.Refused as refused:
            error = wit_event_handler.EventError(refused.code, refused.message, refused.details)
        except handler.Failed:
            os.abort()
        raise Err(error)


class CronHandler:
    """The world's export `santokit:events/cron-handler`."""

    def on_cron(self, run: Any) -> None:
        _host.connect()
        random.seed(_urandom(16))
        try:
            handler.run_cron(Run(run.id, run.job, run.due_at, run.cause))
            return
        except handler.Refused as refused:
            error = wit_cron_handler.CronError(refused.code, refused.message, refused.details)
        except handler.Failed:
            os.abort()
        raise Err(error)


class Loader:
    """The world's export `santokit:python/loader`."""

    def load(self, files: list[Any], entry: str) -> list[str]:
        said = io.StringIO()
        own = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = said
        try:
            return _load(files, entry)
        except BaseException as error:
            raise Err(_report(error, said.getvalue())) from None
        finally:
            sys.stdout, sys.stderr = own


def _load(files: list[Any], entry: str) -> list[str]:
    _finder.add({file.path: file.content for file in files if not file.vendored}, "")
    _finder.add({file.path: file.content for file in files if file.vendored}, "site-packages/")
    own = {file.path: file.content for file in files if file.path.endswith(".py")}
    # All files, not only those that are imported now: a mistake is told today, not in the call that gets there.
    for path, content in own.items():
        if not any(file.vendored for file in files if file.path == path):
            _finder.compile(path, content)
    importlib.import_module(entry)
    exports = handler.prepare()
    found = reachable(own)
    _host.reachable = frozenset(name.rpartition("/")[2] for name in found)
    return found + exports


def _report(error: BaseException, said: str) -> str:
    """A line for a summary, and everything."""
    shown = traceback.TracebackException.from_exception(error)
    shown.stack = traceback.StackSummary.from_list(
        [frame for frame in shown.stack if not frame.filename.startswith(("santokit/", "/python/", "<frozen ", "/"))]
    )
    if isinstance(error, SyntaxError) and error.filename:
        place = f" --> {error.filename}:{error.lineno}"
        what = f"{type(error).__name__}: {error.msg}"
    else:
        place = f" --> {shown.stack[-1].filename}:{shown.stack[-1].lineno}" if shown.stack else ""
        what = str(error) if isinstance(error, NoHostError) else f"{type(error).__name__}: {error}"
    summary = " ".join(what.split()) + place
    return "\n".join(part for part in (summary, "".join(shown.format()).rstrip(), said.rstrip()) if part)


def _no_chance_while_loading(length: int) -> bytes:
    if not _host.connected:
        raise NoHostError(
            "the module asks for random bytes while it is loaded, and they would be the same in every call; "
            "move this into the handler"
        )
    return _urandom(length)


def _settle() -> None:
    """What the standard library has to know of the place where it is."""
    os.urandom = _no_chance_while_loading
    # These took it by its name.
    for name in ("random", "uuid", "tempfile", "hmac"):
        module = sys.modules.get(name)
        if module is not None and getattr(module, "_urandom", None) is _urandom:
            module._urandom = _no_chance_while_loading
    logging.basicConfig(level=logging.INFO, handlers=[santokit.log.Handler()])
    warnings.simplefilter("ignore", ResourceWarning)
    _finder.add_standard_library()
    _finder.install()


# Every interface of the world.
for _module in pkgutil.iter_modules(wit_world.imports.__path__):
    importlib.import_module(f"wit_world.imports.{_module.name}")

# In the frozen interpreter already, so that no build and no call has to load them.
for _name in (
    "base64 bisect collections.abc contextlib copy csv dataclasses datetime decimal enum fractions functools hashlib "
    "heapq hmac html inspect io ipaddress itertools json math operator pathlib re secrets statistics string struct "
    "textwrap threading time types typing unicodedata urllib.parse uuid zlib zoneinfo importlib.resources "
    "importlib.metadata encodings.idna encodings.latin_1 encodings.ascii _strptime"
).split():
    importlib.import_module(_name)

_settle()
