"""Which interfaces of the host a logic's source can reach.

An import of a component that needs a grant is refused without it, used or not. So what no source names is left out. The
look is at names, generous rather than clever: too much asks for a grant too many, too little is told when it is called.
"""

from __future__ import annotations

import ast

_INTERFACES = {
    "sql": "santokit:sql/connections",
    "config": "santokit:runtime/config",
    "secrets": "santokit:runtime/secrets",
    "queries": "santokit:queries/queries",
    "crud": "santokit:crud/crud",
    "http": "santokit:http/http",
    "logics": "santokit:logics/logics",
    "storage": "santokit:storage/storage",
    "events": "santokit:events/events",
    "once": "santokit:events/once",
}


def reachable(sources: dict[str, bytes]) -> list[str]:
    """Names of the interfaces, of those that need a grant."""
    found: set[str] = set()
    for content in sources.values():
        if b"santokit" in content:
            found |= _names(ast.parse(content))
    return sorted(_INTERFACES[name] for name in found & set(_INTERFACES))


def _names(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    imports_whole = False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, rest = node.module.partition(".")
            if package == "santokit":
                names |= {rest.partition(".")[0]} if rest else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                package, _, rest = alias.name.partition(".")
                if package == "santokit":
                    imports_whole = True
                    names.add(rest.partition(".")[0])
        elif isinstance(node, ast.Constant) and node.value == "santokit":
            # importlib.import_module("santokit"): whatever comes after it.
            imports_whole = True
    if "*" in names:
        return set(_INTERFACES)
    if imports_whole:
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names
