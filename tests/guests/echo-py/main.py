"""Answers its input. With `{"error": {code, message, details}}` it refuses with that; `fail` goes wrong in one of several
ways; with `tell` it answers what the host tells about the invocation."""

import logging
import os
import random
import secrets
import sys
import time
import uuid
from datetime import datetime, timezone
from typing import Any, TypedDict

import santokit
from santokit import Context, LogicError, log, logic

from failing import fail


class Refusal(TypedDict):
    code: str
    message: str
    details: Any


class Input(TypedDict, total=False):
    value: Any
    error: Refusal
    fail: str
    tell: bool


calls = 0


@logic
def handle(input: Input, context: Context) -> Any:
    global calls
    calls += 1
    if input.get("error"):
        raise LogicError(input["error"]["code"], input["error"]["message"], input["error"]["details"])
    if input.get("fail"):
        fail(input["fail"])
    if not input.get("tell"):
        return input
    return tell(context)


def tell(context: Context) -> Any:
    log.info("telling", through="log", number=7, many=[1, None])
    logging.getLogger("shop.prices").warning("telling through %s", "logging", extra={"customer": "c-1"})
    logging.getLogger("shop.prices").debug("not told")
    print("telling through print")
    print("telling through stderr", file=sys.stderr)
    import colorsys  # Not loaded before: a module that a call is the first to need.

    wall = santokit.clock.now()
    return {
        "calls": calls,
        "caller": context.caller,
        "invocation": context.invocation,
        "near": abs((datetime.now(timezone.utc) - wall).total_seconds()) < 60 and abs(time.time() - wall.timestamp()) < 60,
        "elapsed": santokit.clock.elapsed() > 0 and time.monotonic() > 0,
        "remaining": santokit.clock.remaining() > 0,
        "chance": [random.random(), secrets.token_hex(4), str(uuid.uuid4()), os.urandom(4).hex(), santokit.random.random()],
        "below": all(0 <= santokit.random.below(3) < 3 for _ in range(20)),
        "bytes": len(santokit.random.bytes(70_000)),
        "uuid": santokit.random.uuid().version,
        "late": colorsys.rgb_to_hsv(1, 0, 0)[1],
        "files": os.path.exists("/etc/passwd"),
        "environment": len(os.environ),
    }
