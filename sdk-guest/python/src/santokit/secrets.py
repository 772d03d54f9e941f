"""Secrets. Each name needs ``grants.secrets``. Never log one."""

from __future__ import annotations

from typing import Any, cast

from . import _host
from .errors import HostError, LogicError


class SecretError(HostError):
    """Why a secret cannot be had. ``kind`` is ``denied`` (not in the manifest), ``missing`` (the env has no such
    secret), or a code of the host."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def to_logic_error(self) -> LogicError:
        """What the caller learns: nothing of the name."""
        return LogicError("SECRET_ERROR", "the logic is not configured for this")


def get(name: str) -> str:
    """The secret's value."""
    return cast(str, _host.calling(lambda: _host.call("secrets", "get", name), _error))


def _error(case: str, payload: Any) -> SecretError:
    if case == "denied":
        return SecretError("denied", f"secret denied: {payload} (add it to grants.secrets in logic.yaml)")
    if case == "missing":
        return SecretError("missing", f"secret {payload} is not set in this env (stk secrets set {payload})")
    code, message = payload
    return SecretError(code, f"secret: {code}: {message}")
