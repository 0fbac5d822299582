"""The structure check, on made-up folders: each bound, on both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import structure
from deploy.structure import Allowed

CODE = "".join(f"a{number} = {number}\n" for number in range(8))


def write(root: Path, **modules: str) -> None:
    """Modules by name, with `__` for each dot, besides enough code to be no objection themselves."""
    for name, text in modules.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + CODE)


def objections(root: Path, allowed: Allowed = Allowed()) -> list[str]:  # noqa: B008  frozen
    return structure.objections(structure.read_modules(root), allowed)


def test_a_folder_holds_25_modules_besides_its_own(tmp_path: Path) -> None:
    write(tmp_path, **{f"metrics__m{number}": "" for number in range(25)})
    (tmp_path / "metrics" / "__init__.py").touch()
    assert objections(tmp_path) == []
    write(tmp_path, metrics__one_more="")
    assert objections(tmp_path) == ["metrics: 26 modules, 25 at most"]


def test_folders_that_are_no_product_may_be_fuller(tmp_path: Path) -> None:
    write(tmp_path, **{f"benchmarks__m{number}": "" for number in range(26)})
    assert objections(tmp_path) == []


@pytest.mark.parametrize("package", ["metrics", "deploy", "benchmarks"])
def test_a_module_has_300_lines(tmp_path: Path, package: str) -> None:
    write(tmp_path, **{f"{package}__whole": "#\n" * 292})
    assert objections(tmp_path) == []
    write(tmp_path, **{f"{package}__whole": "#\n" * 293})
    assert objections(tmp_path) == [f"{package}.whole: 301 lines, 300 at most"]


def test_settings_may_be_longer(tmp_path: Path) -> None:
    write(tmp_path, config__settings="#\n" * 400)
    assert objections(tmp_path) == []


def test_a_module_has_8_lines_that_are_neither_blank_nor_text(tmp_path: Path) -> None:
    write(tmp_path, metrics__small="")
    assert objections(tmp_path) == []
    text = (
        '"""What it is\n\nfor."""\n\n# Why.\ndef small():\n    """Docstring."""\n'
        "    return (\n        1 +\n\n        2\n    )\n"
    )
    (tmp_path / "metrics" / "small.py").write_text(f"{text}a = 1\nb = 1\n")
    assert objections(tmp_path) == ["metrics.small: 7 lines of code, 8 at least"]
    (tmp_path / "metrics" / "small.py").write_text(f"{text}a = 1\nb = 1\nc = 1\n")
    assert objections(tmp_path) == []


@pytest.mark.parametrize("name", ["__init__", "__main__", "apps", "urls", "wsgi", "asgi"])
def test_modules_that_a_program_finds_by_name_may_be_short(tmp_path: Path, name: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / f"{name}.py").write_text("a = 1\n")
    assert objections(tmp_path) == []


def test_modules_that_import_each_other_by_way_of_others_are_a_circle(tmp_path: Path) -> None:
    write(tmp_path, metrics__a="from metrics import b\n", metrics__b="import metrics.c\n", metrics__c="")
    assert objections(tmp_path) == []
    write(tmp_path, metrics__c="try:\n    from metrics.a import a1\nexcept ImportError:\n    pass\n")
    assert objections(tmp_path) == ["import circle: metrics.a, metrics.b, metrics.c"]


def test_a_package_that_is_imported_with_a_name_of_its_own_counts(tmp_path: Path) -> None:
    (tmp_path / "metrics" / "room").mkdir(parents=True)
    (tmp_path / "metrics" / "room" / "__init__.py").write_text("from metrics.room.b import a1\n")
    write(tmp_path, metrics__room__a="", metrics__room__b="from metrics.room import a, a1\n")
    assert objections(tmp_path) == ["import circle: metrics.room, metrics.room.b"]


@pytest.mark.parametrize(
    "text",
    [
        "def later():\n    from metrics import a\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from metrics import a\n",
    ],
)
def test_what_is_imported_later_or_for_types_only_closes_no_circle(tmp_path: Path, text: str) -> None:
    write(tmp_path, metrics__a="from metrics import b\n", metrics__b=text)
    assert objections(tmp_path) == []


def test_what_is_allowed_is_no_objection(tmp_path: Path) -> None:
    write(tmp_path, metrics__a="from metrics import b\n", metrics__b="from metrics import a\n" + "#\n" * 300)
    (tmp_path / "metrics" / "c.py").write_text("a = 1\n")
    allowed = Allowed(frozenset({"metrics.b"}), frozenset({"metrics.c"}), frozenset({("metrics.a", "metrics.b")}))
    assert objections(tmp_path, allowed) == []


def test_what_is_allowed_and_needs_it_no_more_is_an_objection(tmp_path: Path) -> None:
    write(tmp_path, metrics__a="from metrics import b\n", metrics__b="")
    allowed = Allowed(frozenset({"metrics.b"}), frozenset({"metrics.c"}), frozenset({("metrics.a", "metrics.b")}))
    assert objections(tmp_path, allowed) == [
        f"{what}: allowed in deploy/structure.py, and needs it no more"
        for what in ("metrics.b", "metrics.c", "metrics.a -> metrics.b")
    ]


def test_the_checkout_breaks_no_bound(capsys: pytest.CaptureFixture[str]) -> None:
    assert structure.main() == 0, capsys.readouterr().out
