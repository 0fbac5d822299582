"""Whether what the documents name is there: files, headings and commands, and files where one would look for them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands

from tests.paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LISTS = [
    *(ROOT / "deploy" / "mutation" / name for name in ("modules.toml", "equivalent.toml")),
    *(
        ROOT / name
        for name in ("docs/validation/requirements.toml", "Makefile", "docker-compose.yml", "pyproject.toml")
    ),
    ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md",
]
WRITTEN = ROOT / "docs" / "validation.md"  # by deploy/validation.py, which names files of tests/ without that folder
FOLDERS = "participants|metrics|ingestion|dashboards|config|tests|deploy|benchmarks|templates|static|docs"
ENDINGS = "py|html|js|css|sh|toml|yml|yaml|md"
# A file or a folder (with a slash at its end) by its whole path; not what stands for several.
NAMED = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/(?:[\w.-]+/)*(?:[\w-]+\.(?:{ENDINGS})\b|(?=`))")
LINKED = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
MADE = re.compile(r"(?:`|^)make ([a-z][a-z-]*)", re.MULTILINE)
MANAGED = re.compile(r"manage\.py ([a-z_]+)")
QUESTIONS: list[dict[str, Any]] = tomllib.loads((ROOT / "docs" / "where-is-what.toml").read_text())["question"]


def links(document: Path) -> list[tuple[Path, str]]:
    """The files that a document links to, each with the heading that is meant, "" for none."""
    return [
        (document.parent / file if file else document, heading)
        for file, heading in LINKED.findall(document.read_text())
    ]


def headings(document: Path) -> set[str]:
    """The headings of a document as a link names them."""
    said = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in said}


@pytest.mark.parametrize("document", [*DOCUMENTS, *LISTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_documents_name_exist(document: Path) -> None:
    if document == WRITTEN:
        return
    text = document.read_text()
    assert {name for name in NAMED.findall(text) if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_documents_name_exist(document: Path) -> None:
    text = document.read_text()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(MADE.findall(text)) - set(targets) == set()
    assert set(MANAGED.findall(text)) - set(get_commands()) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    broken = {
        (file.name, heading)
        for file, heading in links(document)
        if not file.exists() or (heading and file.suffix == ".md" and heading not in headings(file))
    }
    assert broken == set()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["noun"])
def test_a_place_lies_under_its_noun(question: dict[str, Any]) -> None:
    assert (ROOT / question["path"]).is_file()
    nouns = [question["noun"], *question.get("synonyms", ())]
    assert any(noun.lower().replace(" ", "_") in question["path"] for noun in nouns)


def test_twenty_places_are_listed() -> None:
    assert len(QUESTIONS) >= 20


def test_every_document_stands_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {
        file.resolve() for document in (index, index.parent / "decisions" / "README.md") for file, _ in links(document)
    }
    assert {path.resolve() for path in (ROOT / "docs").rglob("*.md")} - listed == {index}
