"""The API's contract: the committed document is what the code does, and what every answer has in common."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from config.api import docs
from config.errors.views import bad_request, server_error
from tests import database
from tests.api.conftest import Bring
from tests.paths import ROOT

DOCUMENT = ROOT / "docs" / "openapi.yaml"
OPERATIONS = {"get", "post", "put", "patch", "delete"}


def operations() -> list[tuple[str, dict[str, Any]]]:
    paths = docs.document()["paths"]
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in paths.items()
        for method, operation in item.items()
        if method in OPERATIONS
    ]


def test_the_committed_document_is_what_the_code_does(tmp_path: Path) -> None:
    made = tmp_path / "openapi.yaml"
    # Warnings are errors, and the document is checked against OpenAPI 3.1's own schema.
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(made))
    before, after = DOCUMENT.read_text().splitlines(), made.read_text().splitlines()
    different = list(difflib.unified_diff(before, after, "docs/openapi.yaml", "the code", lineterm="", n=2))
    assert not different, "The API and its document differ. Run `make openapi` and commit it.\n" + "\n".join(
        different[:60]
    )


def test_each_operation_says_what_it_is_for() -> None:
    assert [name for name, operation in operations() if not operation.get("summary")] == []


def test_each_operation_is_under_a_tag_that_is_described() -> None:
    tags = {tag["name"] for tag in docs.document()["tags"]}
    assert {name: operation["tags"] for name, operation in operations() if not set(operation["tags"]) <= tags} == {}


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(set(names)) == len(names)


def test_each_write_takes_an_idempotency_key() -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    writes = [item for item in operations() if not item[0].startswith("GET")]
    assert [name for name, operation in writes if key not in operation["parameters"]] == []


def test_the_document_is_open_and_unchanged_costs_nothing(client: Client, db: None) -> None:
    answer = client.get("/api/schema")
    assert answer.json()["openapi"].startswith("3.1")
    assert client.get("/api/schema", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_page_takes_everything_from_here(client: Client, db: None) -> None:
    page = client.get("/api/docs").content.decode()
    assert "swagger-ui-bundle" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


@pytest.mark.django_db
class TestErrors:
    """Whatever goes wrong under /api/, a program gets a problem."""

    @staticmethod
    def problem(answer: Any, status: int) -> dict[str, Any]:
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        import json

        said: dict[str, Any] = json.loads(answer.content)
        assert said["status"] == status
        assert said["title"]
        return said

    def test_wrong_method(self, writer: Client) -> None:
        answer = writer.delete("/api/v1/trials")
        self.problem(answer, 405)
        assert "GET" in answer.headers["Allow"]

    def test_nothing_acceptable(self, reader: Client) -> None:
        self.problem(reader.get("/api/v1/trials", headers={"Accept": "image/png"}), 406)

    @pytest.mark.parametrize("size", ["0", "-1", "1001", "ten", "1e3", "", "٣"])
    def test_a_page_size_that_is_none(self, reader: Client, size: str) -> None:
        answer = reader.get("/api/v1/trials", {"page_size": size})
        assert set(self.problem(answer, 400)["errors"]) == {"page_size"}

    @pytest.mark.parametrize("cursor", ["x", "////", "cD0xJnI9eA==", "%00", "w6k="])
    def test_a_cursor_that_is_none(self, reader: Client, cursor: str) -> None:
        assert reader.get("/api/v1/trials", {"cursor": cursor}).status_code in (200, 400)

    def test_a_host_that_is_not_ours(self, reader: Client) -> None:
        self.problem(reader.get("/api/v1/trials", headers={"Host": "evil.example"}), 400)

    def test_what_nobody_foresaw(self, manager: Any, bring: Bring) -> None:
        reader = bring(manager)
        reader.raise_request_exception = False
        with database.failing('FROM "participants_trial"', RuntimeError("a secret")):
            said = self.problem(reader.get("/api/v1/trials"), 500)
        assert "secret" not in str(said)

    def test_people_get_pages(self, rf: Any) -> None:
        for answer in (bad_request(rf.get("/x"), Exception()), server_error(rf.get("/x"))):
            assert answer.headers["Content-Type"].startswith("text/html")
