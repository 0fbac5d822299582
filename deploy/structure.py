"""Structure check: how many modules a folder holds, how long each module is, and which modules import in a circle.

Prints the fullest folders and the longest modules; ends non-zero where a bound is broken, or where something is allowed
below that needs it no more. Run by `make lint`.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("participants", "metrics", "ingestion", "dashboards", "config")
OWN = (*PRODUCT, "deploy", "benchmarks")
MOST_MODULES = 25
MOST_LINES = 300
FEWEST_LINES = 8  # of code: neither blank, nor comment, nor docstring
MAY_BE_LONG = {"config.settings"}
MAY_BE_SHORT = {"__init__", "__main__", "apps", "asgi", "urls", "wsgi"}
# Django loads each of these by its own name from its own file.
LOADED_BY_NAME = {"migrations"}

# What still breaks a bound: modules for their length, and imports without which no circle is left.
STILL_LONG: frozenset[str] = frozenset()
STILL_SHORT = frozenset({"benchmarks.chaos.quick_beat"})  # Celery loads it by its name
STILL_CIRCULAR: frozenset[tuple[str, str]] = frozenset()

NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True, slots=True)
class Module:
    """Module as written: its dotted name, its file, its lines, and the modules that it imports when loaded."""

    name: str
    path: Path
    lines: int
    code_lines: int
    imports: frozenset[str]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Exceptions that may break a bound for now; one that is needed no more is an objection itself."""

    long: frozenset[str] = frozenset()
    short: frozenset[str] = frozenset()
    circular: frozenset[tuple[str, str]] = frozenset()


def read_modules(root: Path, packages: Iterable[str] = OWN) -> list[Module]:
    """The modules of these packages, in the order of their names; migrations are Django's."""
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in (root / package).rglob("*.py")
        if not LOADED_BY_NAME & set(path.relative_to(root).parts)
    }
    modules = []
    for name, path in sorted(paths.items()):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        imports = frozenset(_imports(tree.body, paths.keys()) - {name})
        modules.append(Module(name, path.relative_to(root), len(text.splitlines()), _code_lines(path, tree), imports))
    return modules


def _imports(body: Iterable[ast.stmt], known: Iterable[str]) -> set[str]:
    """Own modules that are imported when these statements are loaded: not in functions, nor for types only."""
    known = set(known)
    names: set[str] = set()
    for node in body:
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                named = {alias.name for alias in node.names}
                inside = {name for name in named if f"{module}.{name}" in known}
                names |= {f"{module}.{name}" for name in inside} | ({module} if named - inside else set())
            case ast.If() if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                names |= _imports(node.orelse, known)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case _:
                inner = [statement for statement in ast.iter_child_nodes(node) if isinstance(statement, ast.stmt)]
                inner += [statement for part in getattr(node, "handlers", []) for statement in part.body]
                names |= _imports(inner, known)
    return names & known


def _code_lines(path: Path, tree: ast.Module) -> int:
    """Lines that hold something other than a comment or a docstring."""
    docstrings = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if ast.get_docstring(node, clean=False) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or node.body[0].lineno) + 1)
    }
    with path.open("rb") as file:
        held = {
            line
            for token in tokenize.tokenize(file.readline)
            if token.type not in NO_CODE
            for line in range(token.start[0], token.end[0] + 1)
        }
    return len(held - docstrings)


def folder_sizes(modules: Iterable[Module]) -> Counter[Path]:
    """Number of modules in each folder of product code; `__init__` is not counted."""
    return Counter(
        module.path.parent
        for module in modules
        if module.path.parts[0] in PRODUCT and module.path.name != "__init__.py"
    )


def circles(imports: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Modules that import each other, directly or by way of others: the strongly connected parts of the graph."""
    reached = {name: _reach(name, imports) for name in imports}
    circular = []
    left = set(imports)
    for name in sorted(imports):
        if name in left and name in reached[name]:
            circle = {other for other in reached[name] if name in reached[other]}
            left -= circle
            circular.append(sorted(circle))
    return circular


def _reach(name: str, imports: Mapping[str, Iterable[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(imports[name])
    while waiting:
        if (other := waiting.pop()) not in seen:
            seen.add(other)
            waiting += imports[other]
    return seen


def objections(modules: Iterable[Module], allowed: Allowed) -> list[str]:
    """A sentence for each bound that is broken, and for each allowance that is not needed any more."""
    modules = list(modules)
    complaints = [
        f"{folder}: {count} modules, {MOST_MODULES} at most"
        for folder, count in sorted(folder_sizes(modules).items())
        if count > MOST_MODULES
    ]
    long = {
        module.name: module.lines for module in modules if module.lines > MOST_LINES and module.name not in MAY_BE_LONG
    }
    complaints += [
        f"{name}: {lines} lines, {MOST_LINES} at most" for name, lines in long.items() if name not in allowed.long
    ]
    short = {
        module.name: module.code_lines
        for module in modules
        if module.code_lines < FEWEST_LINES and module.path.stem not in MAY_BE_SHORT
    }
    complaints += [
        f"{name}: {lines} lines of code, {FEWEST_LINES} at least"
        for name, lines in short.items()
        if name not in allowed.short
    ]
    whole = {module.name: module.imports for module in modules}
    cut = {name: {other for other in to if (name, other) not in allowed.circular} for name, to in whole.items()}
    complaints += [f"import circle: {', '.join(circle)}" for circle in circles(cut)]
    circular = {
        (name, other) for circle in circles(whole) for name in circle for other in whole[name] if other in circle
    }
    stale = [*sorted(allowed.long - long.keys()), *sorted(allowed.short - short.keys())]
    stale += [f"{name} -> {other}" for name, other in sorted(allowed.circular - circular)]
    return complaints + [f"{what}: allowed in deploy/structure.py, and needs it no more" for what in stale]


def main() -> int:
    modules = read_modules(ROOT)
    sys.stdout.write("Modules a folder:\n")
    for folder, count in folder_sizes(modules).most_common(5):
        sys.stdout.write(f"  {count:4}  {folder}\n")
    sys.stdout.write("Lines a module:\n")
    for module in sorted(modules, key=lambda module: -module.lines)[:5]:
        sys.stdout.write(f"  {module.lines:4}  {module.path}\n")
    complaints = objections(modules, Allowed(STILL_LONG, STILL_SHORT, STILL_CIRCULAR))
    sys.stdout.writelines(f"{line}\n" for line in complaints)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
