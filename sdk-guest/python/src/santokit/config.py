"""Configuration values of the release, selected for the env. Each name needs ``grants.config``."""

from __future__ import annotations

from typing import Any, cast

from . import _host
from .errors import HostError, LogicError


class ConfigError(HostError):
    """Why a value cannot be had. ``kind`` is ``denied`` (not in the manifest), ``missing`` (only from
    :func:`require`), or a code of the host."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def to_logic_error(self) -> LogicError:
        """What the caller learns: nothing of the name."""
        return LogicError("CONFIG_ERROR", "the logic is not configured for this")


def get(name: str) -> str | None:
    """The value as text; None where the env sets nothing."""
    return cast("str | None", _host.calling(lambda: _host.call("config", "get", name), _error))


def require(name: str) -> str:
    """The value as text; an error where the env sets nothing."""
    value = get(name)
    if value is None:
        raise ConfigError("missing", f"configuration {name} is not set in this env")
    return value


def _error(case: str, payload: Any) -> ConfigError:
    if case == "denied":
        return ConfigError("denied", f"configuration denied: {payload} (add it to grants.config in logic.yaml)")
    code, message = payload
    return ConfigError(code, f"configuration: {code}: {message}")
