"""Whether modules, classes and functions are named by the field's terms, not by words that the project once had."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

FOLDERS = ("participants", "metrics", "ingestion", "dashboards", "config", "deploy", "benchmarks", "tests")
PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")

# A word that stands in no name, and the field's term for it.
TERMS = {
    "standing": "participant status, status summary",
    "standings": "participant status, status summary",
    "word": "attention status, text, label",
    "words": "text, labels",
    "verdict": "day status",
    "verdicts": "day status",
    "judge": "evaluate",
    "judged": "evaluated",
    "letter": "e-mail, message template; day code",
    "letters": "e-mails, message templates; day codes",
    "trail": "day codes",
    "trails": "day codes",
    "looks": "restatement checks; access log",
    "looked": "restatement check; record_view",
    "stretch": "interval",
    "stretches": "intervals",
    "wearer": "participant",
    "wearers": "participants",
    "somebody": "participant",
    "delivery": "payload",
    "deliveries": "payloads",
    "vault": "encryption",
    "seal": "encrypt; checkpoint",
    "sealed": "encrypted",
    "unseal": "decrypt",
    "reseal": "rotate keys",
    "door": "channel, endpoint",
    "deed": "activity",
    "deeds": "activities",
    "care": "maintenance",
    "holding": "data inventory",
    "holdings": "data inventory",
    "draft": "partial file",
    "drafts": "partial files",
    "peer": "exchange format",
    "peers": "exchange formats",
    "chapter": "section",
    "chapters": "sections",
    "question": "request parameters",
    "questions": "request parameters",
    "contacting": "messaging",
    "mailing": "messaging",
    "truth": "ground truth",
    "world": "accounts",
    "happenings": "events",
    "visitor": "browser session",
}
# Where such a word is part of the field's own term, or stands in a contract: a command's name.
PLAIN = re.compile(
    r"audit_?trail|ground_?truth|webhook_?deliver|TrialStateDraft|_draft_trial|state_draft", flags=re.IGNORECASE
)
COMMANDS = {"metrics/management/commands/store_care.py", "ingestion/management/commands/reseal_tokens.py"}


def modules() -> list[Path]:
    """The project's modules but migrations, whose names are kept."""
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def names(module: Path) -> Iterator[str]:
    """The names of a module, its folders, its classes and its functions."""
    path = module.relative_to(ROOT)
    if str(path) not in COMMANDS:
        yield from (*path.parts[:-1], path.stem)
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_have_the_fields_terms(folder: str) -> None:
    wrong = {
        f"{module.relative_to(ROOT)}: {name}, say {TERMS[part.lower()]}"
        for module in modules()
        if module.relative_to(ROOT).parts[0] == folder
        for name in names(module)
        for part in PART.findall(PLAIN.sub("", name))
        if part.lower() in TERMS
    }
    assert wrong == set()


@pytest.mark.parametrize(
    ("name", "is_wrong"), [("with_standing", True), ("DayVerdict", True), ("understanding", False)]
)
def test_a_term_is_found_as_a_whole_part_of_a_name(name: str, *, is_wrong: bool) -> None:
    assert any(part.lower() in TERMS for part in PART.findall(name)) is is_wrong
