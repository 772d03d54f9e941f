"""The answer of a logic that says no, and the errors that turn into one by themselves."""

from __future__ import annotations

from typing import Any


class LogicError(Exception):
    """The logic refuses.

    It reaches the caller as ``LOGIC_ERROR`` (422) with these fields inside, and rolls back the invocation's
    transaction. Everything in it is seen by the caller.

    ``code`` is for programs: upper case with underscores, for example ``OUT_OF_STOCK``. ``details`` is any value that
    can be an answer.
    """

    def __init__(self, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class HostError(Exception):
    """An error of a host call.

    Not caught by the logic, it becomes the ``LogicError`` of :meth:`to_logic_error`; its own words go to the log,
    because the caller must not see them.
    """

    def to_logic_error(self) -> LogicError:
        """What the caller learns."""
        return LogicError("HOST_ERROR", "the logic could not do this")


class NoHostError(RuntimeError):
    """There is no host to call: the module is being loaded, or it runs outside of Santokit."""


class InputError(LogicError):
    """A value does not fit the type that a handler or a query asks for."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__("INVALID_INPUT", f"{path}: {message}" if path else message)
