"""The validation pack names tests that exist, and the document is of the source that stands there."""

from __future__ import annotations

import re

import pytest

from deploy import validation

RULES = validation.rules()
REQUIREMENTS = [one for rule in RULES for one in rule.requirements]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=[one.id for one in REQUIREMENTS])
def test_every_requirement_names_tests_that_exist(requirement: validation.Requirement) -> None:
    assert requirement.tests
    assert validation.missing(requirement) == []


def test_requirements_are_named_once() -> None:
    names = [one.id for one in REQUIREMENTS]
    assert len(set(names)) == len(names)


def test_the_document_is_made_of_this_source() -> None:
    """All but the results: `make validation` writes it."""
    results = {test: (1, 0) for one in REQUIREMENTS for test in one.tests}
    expected = validation.document(results, "X")

    def bare(text: str) -> str:
        return re.sub(r"Last run: .*|\| [^|]*\|$", "", text, flags=re.MULTILINE)

    assert bare(validation.DOCUMENT.read_text()) == bare(expected), "run `make validation`"
