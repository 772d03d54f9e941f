"""One invocation: bytes in, the handler, bytes out; and what becomes of an exception."""

from __future__ import annotations

import inspect
import json
import traceback
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from . import log
from ._json import encode
from ._typed import Converter, converter
from .context import Context
from .errors import HostError, LogicError

F = TypeVar("F", bound=Callable[..., Any])

_handlers: list[_Handler] = []


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
    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = inspect.signature(function).parameters
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("a handler must not be async: host calls are synchronous, nothing would wait for it")
        if len(parameters) > 2:
            raise TypeError("a handler takes its input, or its input and the context")
        self.function = function
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.count = len(parameters)
        self.first = next(iter(parameters), "")
        self._convert: Converter | None = None

    def prepare(self) -> None:
        """Looks at the types once all modules are loaded: they may name what comes after the handler."""
        self._convert = converter(typing.get_type_hints(self.function, include_extras=True).get(self.first, Any))

    def run(self, data: bytes) -> Any:
        value = json.loads(data) if data else {}
        if self._convert is not None:
            value = self._convert(value, "")
        return self.function(*(value, Context())[: self.count])


def logic(function: F) -> F:
    """Makes a function the handler of this component.

    It is given the checked params, and a :class:`santokit.Context` if it takes a second argument. The annotation of the
    input says what it becomes: a dataclass, a ``TypedDict``, or a plain ``dict``. It answers what JSON has a form
    for; dataclasses, decimals, bytes and datetimes included. The function itself stays as it is, so that a test can
    call it.
    """
    _handlers.append(_Handler(function))
    return function


def prepare() -> None:
    """Checks that there is one handler, when all modules are loaded."""
    if not _handlers:
        raise TypeError("no function is marked with @logic (from santokit import logic)")
    if len(_handlers) > 1:
        names = ", ".join(handler.name for handler in _handlers)
        raise TypeError(f"one function is marked with @logic, and these are: {names}")
    _handlers[0].prepare()


def run(data: bytes) -> bytes:
    """Runs the handler. What leaves it is bytes, `Refused` or `Failed`."""
    try:
        return encode(_handlers[0].run(data))
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
