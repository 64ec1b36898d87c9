"""The imports of the modules below a folder, read from their syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path


def modules(content: Path) -> set[str]:
    """Return the names of all modules below a folder."""
    return {_name(path, content) for path in content.rglob("*.py")}


def imports(content: Path) -> dict[str, set[str]]:
    """Return what each module below a folder imports anywhere; for `from a import b`, both `a` and `a.b`.

    An import that only type checkers see does not count.
    """
    return {_name(path, content): _imported(path, content) for path in content.rglob("*.py")}


def _name(path: Path, content: Path) -> str:
    parts = path.relative_to(content).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, content: Path) -> set[str]:
    name = _name(path, content)
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # One dot is the package itself.
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            found |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
        waiting += ast.iter_child_nodes(node)
    return found
