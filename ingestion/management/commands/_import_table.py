"""Table at the end of an import: each file, what it is, what became of its rows, and whether it was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingestion.file_imports.import_reports import Report, Result

COLUMNS = ("rows", "new", "changed", "unchanged", "repeated", "flagged", "skipped", "rejected")
MOST_LINES = 40  # files listed one by one; of a long folder those of one kind and fate are one line
NAME, KIND = 44, 36  # letters at most
UNKNOWN = "unknown"


@dataclass(slots=True)
class _Line:
    name: str
    kind: str
    fate: str
    files: int = 1
    numbers: Counter[str] = field(default_factory=Counter)


def table(reports: Sequence[Report]) -> Iterator[str]:
    """Lines of the table; none where no file was found."""
    if not reports:
        return
    lines = [_line(report) for report in reports]
    if len(lines) > MOST_LINES:
        lines = _grouped(lines)
    names = [_fitted(_named(line), NAME) for line in lines]
    width = max(len("file"), *map(len, names))
    kinds = max(len("kind"), *(min(len(line.kind), KIND) for line in lines))
    header = f"{'file':{width}}  {'kind':{kinds}}" + "".join(f"{name:>11}" for name in COLUMNS) + "  read or why not"
    yield header
    yield "-" * len(header)
    total: Counter[str] = Counter()
    for name, line in zip(names, lines, strict=True):
        total.update(line.numbers)
        yield _written(name, line.kind, line.numbers, line.fate, width, kinds)
    yield _written("total", f"{len(reports):,} files", total, "", width, kinds)


def _line(report: Report) -> _Line:
    kind = report.format or report.kind or UNKNOWN
    read = report.result in (Result.IMPORTED, Result.DRY)
    return _Line(_short(report.name), kind, _fate(report), numbers=_numbers(report) if read else Counter())


def _fate(report: Report) -> str:
    """Outcome of a file: read, else why not."""
    rejected = sum(report.rejected.values())
    match report.result:
        case Result.IMPORTED | Result.DRY:
            read = "read" if report.result is Result.IMPORTED else "would be read"
            return f"{read}, without {_rows(rejected)}" if rejected else read
        case Result.FAILED:
            return f"FAILED: {report.message}"
        case _:
            return f"not read: {report.message.removeprefix('on purpose: ')}"


def _grouped(lines: Sequence[_Line]) -> list[_Line]:
    """Table rows grouped by kind and outcome. The name is that of the first file."""
    groups: dict[tuple[str, str], _Line] = {}
    for line in lines:
        key = line.kind, line.fate.split(", without")[0]
        if key not in groups:
            groups[key] = _Line(line.name, line.kind, key[1], 0)
        groups[key].files += 1
        groups[key].numbers.update(line.numbers)
    for line in groups.values():
        if rejected := line.numbers["rejected"]:
            line.fate += f", without {_rows(rejected)}"
    return list(groups.values())


def _named(line: _Line) -> str:
    return line.name if line.files == 1 else f"{_fitted(line.name, NAME - 18)} and {line.files - 1:,} more"


def _written(name: str, kind: str, numbers: Counter[str], fate: str, width: int, kinds: int) -> str:
    cells = "".join(f"{numbers[column]:>11,}" if numbers else " " * 11 for column in COLUMNS)
    return f"{name:{width}}  {_fitted(kind, kinds):{kinds}}{cells}  {fate}".rstrip()


def _numbers(report: Report) -> Counter[str]:
    """Figures of a report by column; nights and exercise count among the rows written."""
    c = report.counts
    return Counter(
        rows=report.rows,
        new=c.new + c.sleep_new + c.exercise_new,
        changed=c.changed + c.sleep_changed + c.exercise_changed,
        unchanged=c.unchanged + c.sleep_unchanged + c.exercise_unchanged,
        repeated=c.repeated,
        flagged=c.flagged,
        skipped=sum(report.skipped.values()),
        rejected=sum(report.rejected.values()),
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)} that {'were' if count != 1 else 'was'} rejected"


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _fitted(name: str, width: int) -> str:
    return name if len(name) <= width else "…" + name[1 - width :]
