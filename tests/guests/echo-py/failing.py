"""What goes wrong in a Python logic."""

import sys


def fail(how: str) -> None:
    if how == "raise":
        raise ValueError("planted-99")
    if how == "cause":
        try:
            {}["planted-98"]
        except KeyError as error:
            raise RuntimeError("the table is broken") from error
    if how == "recursion":
        fail(how)
    if how == "exit":
        sys.exit(3)
    if how == "memory":
        keep = []
        while True:
            keep.append(bytearray(1 << 20))
    if how == "loop":
        while True:
            pass
    if how == "file":
        open("/etc/passwd")
    if how == "sql":
        from importlib import import_module

        import_module("santokit.sql").open("main")
    if how == "socket":
        import socket

        socket.create_connection(("127.0.0.1", 80))
