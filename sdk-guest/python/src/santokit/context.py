"""Who called, and in which release."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import _host


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called."""

    #: ``anonymous``, ``apiKey``, ``user`` or ``system`` (cron, events). New kinds may appear.
    kind: str
    #: The API key's id or the end user's ``sub``. None when anonymous.
    subject: str | None
    #: The roles that the Bridge has verified.
    roles: list[str]
    #: Further claims of the credential.
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is being run."""

    #: The id in ``X-Request-Id`` and in every log line.
    request_id: str
    #: The logic's name, for example ``pricing/quote``.
    logic: str
    project: str
    env: str
    release_id: str
    #: ``request``, ``call`` (from another logic), ``event``, ``cron`` or ``test``. New kinds may appear.
    trigger: str


def caller() -> Caller:
    """Who called this invocation."""
    found = _host.call("context", "get_caller")
    claims = json.loads(found.claims) if found.claims else {}
    return Caller(found.kind, found.subject, list(found.roles), claims)


def invocation() -> Invocation:
    """What this invocation is."""
    found = _host.call("context", "get_invocation")
    return Invocation(found.request_id, found.logic, found.project, found.env, found.release_id, found.trigger)


class Context:
    """What a handler is told besides its input. Each part is asked for only when it is read."""

    @cached_property
    def caller(self) -> Caller:
        """Who called."""
        return caller()

    @cached_property
    def invocation(self) -> Invocation:
        """What is being run."""
        return invocation()
