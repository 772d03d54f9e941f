"""Time as the host sees it. ``time`` and ``datetime`` of the standard library work as well."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from . import _host

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def now() -> datetime:
    """The wall clock, in UTC."""
    moment = _host.call("clock", "now")
    return _EPOCH + timedelta(seconds=moment.seconds, microseconds=moment.nanoseconds // 1000)


def timestamp() -> str:
    """The wall clock as RFC 3339 with microseconds, the form in which timestamps are bound and read."""
    return rfc3339(now())


def elapsed() -> float:
    """Seconds since this invocation began."""
    return float(_host.call("clock", "elapsed")) / 1e9


def remaining() -> float:
    """Seconds until the host stops this invocation."""
    return float(_host.call("clock", "remaining")) / 1e3


def rfc3339(moment: datetime) -> str:
    """A moment in the form of timestamps. It must say its time zone."""
    if moment.tzinfo is None:
        raise TypeError("a datetime without a time zone is no moment: say datetime(…, tzinfo=timezone.utc)")
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
