"""Cryptographically secure randomness from the host.

``random``, ``secrets``, ``uuid`` and ``os.urandom`` of the standard library work as well: every invocation has numbers
of its own.
"""

from __future__ import annotations

from typing import cast
from uuid import UUID

from . import _host

bytes_ = bytes

# The most that the host gives in one call.
_MAX_CHUNK = 65_536


def bytes(length: int) -> bytes_:
    """Random bytes, any number of them."""
    parts = []
    while length > _MAX_CHUNK:
        parts.append(cast(bytes_, _host.call("random", "bytes", _MAX_CHUNK)))
        length -= _MAX_CHUNK
    parts.append(cast(bytes_, _host.call("random", "bytes", length)))
    return b"".join(parts)


def random() -> float:
    """A random number from 0 to 1 (excluded), with 53 random bits."""
    return (int.from_bytes(bytes(8), "big") >> 11) / (1 << 53)


def below(limit: int) -> int:
    """A random integer from 0 to ``limit`` (excluded), each equally likely."""
    if limit <= 0:
        raise ValueError("the limit must be above 0")
    # Whatever is above the last whole multiple is thrown away.
    length = (limit.bit_length() + 7) // 8 + 1
    top = (1 << (8 * length)) // limit * limit
    while (number := int.from_bytes(bytes(length), "big")) >= top:
        pass
    return number % limit


def uuid() -> UUID:
    """A random UUID, version 4."""
    return UUID(bytes=bytes(16), version=4)
