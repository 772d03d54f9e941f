"""One invocation: bytes in, the handler, bytes out; and what becomes of an exception."""

from __future__ import annotations

import inspect
import json
import traceback
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from . import log
from ._json import encode
from ._typed import Converter, converter
from .context import Context
from .errors import HostError, LogicError

F = TypeVar("F", bound=Callable[..., Any])

_handlers: list[_Handler] = []
_event_handlers: list[_Handler] = []
_cron_handlers: list[_CronHandler] = []


@dataclass(frozen=True)
class Event:
    """What is told of an event besides its payload. It comes at least once: `id` is the same each time."""

    id: str
    topic: str
    published_at: str
    """RFC 3339 with microseconds, in UTC."""
    attempt: int
    """Which attempt of the subscription this is, from 1."""
    caused_by: str | None
    """The event that was being handled when this one was published."""
    depth: int
    """How many events caused one another until this one; 0 for one that no event has caused."""


@dataclass(frozen=True)
class Run:
    """What is told of a run of a job."""

    id: str
    job: str
    due_at: str | None
    """The tick that it is for: RFC 3339 with microseconds, in UTC. ``None`` where an operator runs it."""
    cause: str
    """What has begun it: ``schedule``, ``catchUp`` or ``manual``. Others may come."""


class Failed(BaseException):
    """The handler raised what is no refusal. It was logged; the guest has nothing more to say."""


class Refused(BaseException):
    """What is answered in place of an output."""

    def __init__(self, error: LogicError) -> None:
        super().__init__(error.code)
        self.code = error.code
        self.message = error.message
        self.details = None if error.details is None else encode(error.details)


class _Handler:
    def __init__(self, function: Callable[..., Any], given: str = "its input", before: int = 0) -> None:
        parameters = inspect.signature(function).parameters
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("a handler must not be async: host calls are synchronous, nothing would wait for it")
        if len(parameters) > 2 + before:
            raise TypeError(f"a handler takes {given}, or {given} and the context")
        self.function = function
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.count = len(parameters)
        self.before = before
        self.first = next(iter(list(parameters)[before:]), "")
        self._convert: Converter | None = None

    def prepare(self) -> None:
        """Looks at the types once all modules are loaded: they may name what comes after the handler."""
        self._convert = converter(typing.get_type_hints(self.function, include_extras=True).get(self.first, Any))

    def run(self, data: bytes, *before: Any) -> Any:
        value = json.loads(data) if data else {}
        if self._convert is not None:
            value = self._convert(value, "")
        return self.function(*(*before, value, Context())[: self.count])


class _CronHandler:
    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = inspect.signature(function).parameters
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("a handler must not be async: host calls are synchronous, nothing would wait for it")
        if len(parameters) > 2:
            raise TypeError("a handler takes the run, or the run and the context")
        self.function = function
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.count = len(parameters)

    def prepare(self) -> None:
        """There are no types to look at."""

    def run(self, run: Run) -> None:
        self.function(*(run, Context())[: self.count])


def logic(function: F) -> F:
    """Makes a function the handler of this component.

    It is given the checked params, and a :class:`santokit.Context` if it takes a second argument. The annotation of the
    input says what it becomes: a dataclass, a ``TypedDict``, or a plain ``dict``. It answers what JSON has a form
    for; dataclasses, decimals, bytes and datetimes included. The function itself stays as it is, so that a test can
    call it.
    """
    _handlers.append(_Handler(function))
    return function


def on_event(function: F) -> F:
    """Makes a function what this component does with events, of whichever subscriptions name its logic.

    It is given the :class:`santokit.Event`, its payload, and a :class:`santokit.Context` if it takes a third argument. The
    annotation of the payload says what it becomes, as with :func:`logic`. What it raises, and the event is tried again.
    """
    _event_handlers.append(_Handler(function, "the event, its payload", 1))
    return function


def on_cron(function: F) -> F:
    """Makes a function what this component does for jobs, of whichever name its logic.

    It is given the :class:`santokit.Run`, and a :class:`santokit.Context` if it takes a second argument. What it raises, and the run has failed.
    """
    _cron_handlers.append(_CronHandler(function))
    return function


def prepare() -> list[str]:
    """Checks that there is something to be given, when all modules are loaded; the exports that it is."""
    if not _handlers and not _event_handlers and not _cron_handlers:
        raise TypeError(
            "no function is marked with @logic (from santokit import logic), nor with @on_event or @on_cron"
        )
    exports = []
    marked: tuple[tuple[str, list[Any], str], ...] = (
        ("@logic", _handlers, "santokit:logic/handler"),
        ("@on_event", _event_handlers, "santokit:events/event-handler"),
        ("@on_cron", _cron_handlers, "santokit:events/cron-handler"),
    )
    for mark, handlers, export in marked:
        if len(handlers) > 1:
            names = ", ".join(handler.name for handler in handlers)
            raise TypeError(f"one function is marked with {mark}, and these are: {names}")
        for handler in handlers:
            handler.prepare()
            exports.append(export)
    return exports


def run_event(event: Event, payload: bytes) -> None:
    """Runs the handler of events. What leaves it is nothing, `Refused` or `Failed`."""
    _guarded(lambda: _event_handlers[0].run(payload, event))


def run_cron(told: Run) -> None:
    """Runs the handler of jobs. What leaves it is nothing, `Refused` or `Failed`."""
    _guarded(lambda: _cron_handlers[0].run(told))


def run(data: bytes) -> bytes:
    """Runs the handler. What leaves it is bytes, `Refused` or `Failed`."""
    return _guarded(lambda: encode(_handlers[0].run(data)))


def _guarded(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except LogicError as error:
        raise Refused(error) from None
    except HostError as error:
        said = error.to_logic_error()
        log.error(str(error), code=said.code, stack=stack(error))
        raise Refused(said) from None
    except BaseException as error:
        log.error(f"uncaught {type(error).__name__}: {error}", stack=stack(error))
        raise Failed from None


def stack(error: BaseException) -> str:
    """The traceback in terms of the developer's files; this package's own frames say nothing to them."""
    shown = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = shown
    while part is not None:
        part.stack = traceback.StackSummary.from_list(
            [frame for frame in part.stack if not frame.filename.startswith(("santokit/", "<frozen "))]
        )
        part = part.__cause__ or part.__context__
    return "".join(shown.format()).rstrip()
