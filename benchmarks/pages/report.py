"""Tables of what pages cost: at each size, beside another checkout's, and how they grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks import bench
from benchmarks.checkouts import Done
from benchmarks.pages.addresses import UNIT

Measured = dict[tuple[str, str], list[list[Done]]]  # by page and size: of each request, of each checkout
MANY = 4  # times an empty page


def python(done: Done) -> float:
    return done.cpu.program * 1000


def server(done: Done) -> float:
    return done.cpu.server * 1000


def show(names: Sequence[str], sizes: Sequence[str], measured: Measured) -> None:
    both = len(measured[names[0], sizes[0]][0]) > 1
    head = ["Python ms", "to empty", "server ms", "queries", "kB"]
    if both:
        head += ["other: Python", "server", "queries", "ours/other: Python", "server"]
    for size in sizes:
        rows = [[name, *_line(name, size, measured)] for name in names]
        bench.table(f"{size}: medians of {len(measured[names[0], size])} requests", ["page", *head], rows)
    if len(sizes) > 1:
        rows = []
        for name in names:
            first = measured[name, sizes[0]]
            grown = [measured[name, size] for size in sizes[1:]]
            ratios = [_growth(first, other, kind) for other in grown for kind in (python, server)]
            rows.append([name, *(f"{ratio:.2f}" for ratio in ratios)])
        heads = [f"{size}: {kind}" for size in sizes[1:] for kind in ("Python", "server")]
        bench.table(f"Times what it costs at {sizes[0]}", ["page", *heads], rows)
    unit = middle(measured[UNIT, sizes[0]], 0, python)
    dear = [name for name in names if middle(measured[name, sizes[0]], 0, python) > MANY * unit]
    print(f"\nOver {MANY} times an empty page's Python at {sizes[0]}: {', '.join(dear) or 'none'}")


def middle(requests: list[list[Done]], which: int, kind: Callable[[Done], float]) -> float:
    return bench.median([kind(done[which]) for done in requests])


def _line(name: str, size: str, measured: Measured) -> list[str]:
    requests = measured[name, size]
    unit = middle(measured[UNIT, size], 0, python)
    line = [
        f"{middle(requests, 0, python):.1f}",
        f"{middle(requests, 0, python) / unit:.1f}",
        f"{middle(requests, 0, server):.1f}",
        str(requests[0][0].queries),
        f"{max(done[0].facts.get('bytes', 0) for done in requests) / 1024:.0f}",
    ]
    if len(requests[0]) > 1:
        line += [f"{middle(requests, 1, python):.1f}", f"{middle(requests, 1, server):.1f}"]
        line.append(str(requests[0][1].queries))
        for kind in (python, server):
            pairs = [kind(ours) / kind(other) for ours, other in requests if kind(other)]
            line.append(f"{bench.median(pairs):.2f}" if pairs else "")
    return line


def _growth(first: list[list[Done]], other: list[list[Done]], kind: Callable[[Done], float]) -> float:
    small = middle(first, 0, kind)
    return middle(other, 0, kind) / small if small else float("nan")
