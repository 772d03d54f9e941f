"""The host's interfaces, as functions of their own.

There is a host only while an invocation runs. Before that (while the build loads the modules, in a test on the
developer's machine) every call says so, at the place where it was made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from .errors import NoHostError

T = TypeVar("T")

# Whether an invocation runs.
connected = False
# What the built component can reach: interfaces that no source names are left out of it.
reachable: frozenset[str] = frozenset()


def connect() -> None:
    """From now on there is a host."""
    global connected
    connected = True


def _module(name: str) -> Any:
    if not connected:
        if "wit_world" in sys.modules:
            raise NoHostError(
                f"the module calls the host ({name}) while it is loaded; move what needs the host (sql.open(), "
                "config.get(), log.info(), …) into the handler"
            )
        raise NoHostError(f"there is no host to call ({name}): this runs outside of Santokit")
    if name in _SELECTED and name not in reachable:
        raise NoHostError(
            f"the build found no use of santokit.{_SELECTED[name]} in the source: import it by its name "
            f"(from santokit import {_SELECTED[name]})"
        )
    return sys.modules["wit_world.imports." + name]


# Interfaces that need a grant, and the module of this package that stands for each.
_SELECTED = {
    "connections": "sql",
    "config": "config",
    "secrets": "secrets",
    "queries": "queries",
    "crud": "crud",
    "http": "http",
    "logics": "logics",
    "storage": "storage",
    "events": "events",
    "once": "once",
}


def call(interface: str, function: str, *arguments: Any) -> Any:
    """Calls a function of the host."""
    return getattr(_module(interface), function)(*arguments)


def record(interface: str, name: str, *fields: Any) -> Any:
    """A record of an interface of the host."""
    return getattr(_module(interface), name)(*fields)


def calling(work: Callable[[], T], convert: Callable[[str, Any], Exception]) -> T:
    """Runs a host call; an error variant of the host is handed on as `convert` makes it from its case and payload."""
    try:
        return work()
    except NoHostError:
        raise
    except Exception as error:
        payload = getattr(error, "value", None)
        if type(error).__name__ != "Err":
            raise
        case = type(payload).__name__.rpartition("_")[2].lower()
        # A variant has its payload inside; a record is its own.
        raised = convert(case, getattr(payload, "value", payload))
    raise raised
