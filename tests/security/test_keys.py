"""Secrets from files, and their rotation: nothing is left under a key that goes, and a run can be cut short."""

from __future__ import annotations

import io
import os
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.management import CommandError, call_command

from ingestion.models import Connection
from participants.models import AuditEntry, Contact
from participants.privacy import contacts, encryption, key_rotation
from tests.factories import ParticipantFactory
from tests.paths import ROOT

OLD, NEW = "the-old-key", "the-new-key"


@pytest.fixture
def encrypted(db: None, settings: Any) -> Connection:
    """A contact and a connection under the old key, at a site whose newest key is another."""
    settings.TOKEN_KEYS = [OLD]
    person = ParticipantFactory.create()
    contacts.contact_store(person, name="Robin Oak", email="robin@example.org", phone="020 123")
    made = Connection.objects.create(
        participant=person, trial=person.trial, provider="vendor", encrypted_tokens=encryption.encrypt("[1, 2]")
    )
    settings.TOKEN_KEYS = [NEW, OLD]
    return made


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("reseal_tokens", *arguments, stdout=out)
    return out.getvalue()


def test_a_check_tells_what_is_under_older_keys_and_changes_nothing(encrypted: Connection) -> None:
    with pytest.raises(CommandError, match="4 are under older keys"):
        said("--check")
    assert Connection.objects.get().encrypted_tokens == encrypted.encrypted_tokens
    assert not AuditEntry.objects.filter(action="keys.rotate").exists()


def test_afterwards_the_old_key_can_go(encrypted: Connection, settings: Any) -> None:
    assert "Everything is under the newest key" in said()
    settings.TOKEN_KEYS = [NEW]
    assert contacts.contact_open(encrypted.participant).email == "robin@example.org"
    assert encryption.decrypt(Connection.objects.get().encrypted_tokens) == "[1, 2]"
    assert "Everything" in said("--check")
    assert AuditEntry.objects.get(action="keys.rotate")


def test_what_is_done_is_passed_over_by_the_next_run(encrypted: Connection) -> None:
    said()
    first = Connection.objects.get().encrypted_tokens
    said()
    assert Connection.objects.get().encrypted_tokens == first


def test_a_run_that_was_cut_short_is_taken_up(
    encrypted: Connection, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    for _ in range(4):
        contacts.contact_store(ParticipantFactory.create(), email="a@example.org")
    known = Contact.objects.values_list("encrypted_email", flat=True)[0]
    Contact.objects.exclude(participant=encrypted.participant).update(encrypted_email=known)
    monkeypatch.setattr(key_rotation, "BATCH", 2)
    whole = key_rotation._batch
    done: list[list[int]] = []

    def cut(model: Any, columns: list[str], pks: list[int]) -> int:
        if done:
            raise KeyboardInterrupt
        done.append(pks)
        return whole(model, columns, pks)

    monkeypatch.setattr(key_rotation, "_batch", cut)
    with pytest.raises(KeyboardInterrupt):
        said()
    monkeypatch.setattr(key_rotation, "_batch", whole)
    assert sum(one.newest for one in key_rotation.check()) > 0
    assert "Everything" in said()


def test_what_no_key_opens_is_told_and_left_as_it_is(encrypted: Connection, settings: Any) -> None:
    settings.TOKEN_KEYS = [NEW]
    with pytest.raises(CommandError, match="put the old key back"):
        said()
    assert Connection.objects.get().encrypted_tokens == encrypted.encrypted_tokens


def test_the_encrypted_fields_are_found() -> None:
    known = {(model, name) for model, names in key_rotation.stores() for name in names}
    assert {(Connection, "encrypted_tokens"), (Contact, "encrypted_name"), (Contact, "encrypted_email")} <= known


def test_encrypted_texts_within_json_are_found_too(settings: Any) -> None:
    settings.TOKEN_KEYS = [OLD]
    value = {"secret": encryption.encrypt("x"), "codes": [encryption.encrypt("y"), "plain"], "number": 1}
    settings.TOKEN_KEYS = [NEW, OLD]
    fresh = key_rotation._re_encrypted(value)
    assert [encryption.under_newest_key(text) for text in key_rotation._texts(fresh)] == [True, True]
    assert (fresh["codes"][1], fresh["number"]) == ("plain", 1)


# --- secrets from files -------------------------------------------------------------------------------------------

SECRETS = {
    "SECRET_KEY": "SECRET_KEY",
    "TOKEN_KEYS": "TOKEN_KEYS",
    "AUDIT_KEYS": "AUDIT_KEYS",
    "CLIENT_SECRET": "CLIENT_SECRET",
    "WEBHOOK_SECRET": "WEBHOOK_SECRET",
    "EMAIL_HOST_PASSWORD": "EMAIL_HOST_PASSWORD",
    "DB_PASS": "DATABASES",
    "DATABASE_URL": "DATABASES",
    "REDIS_URL": "CELERY_BROKER_URL",
}
SECRET = "$ecret/of@a,file"


@pytest.fixture(autouse=True)
def _files_read_anew() -> Iterator[None]:
    """django-environ remembers for the whole process what it has read from files."""
    environ.FileAwareEnv.ENVIRON.files_cache.clear()
    yield
    environ.FileAwareEnv.ENVIRON.files_cache.clear()


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    """The settings under exactly these variables."""
    (folder / "config").mkdir(exist_ok=True)
    shutil.copy(ROOT / "config" / "settings.py", folder / "config")
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(folder / "config" / "settings.py"))


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_lie_in_a_file_that_ends_with_a_line_end(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"DATABASE_URL": "postgresql://a:pw@b/c", "REDIS_URL": "redis://:pw@b/0"}.get(name, SECRET)
    file = tmp_path / "secret"
    file.write_text(content + "\n")
    variables = {"SECRET_KEY": "x", "DB_NAME": "wear"} | ({"CLIENT_ID": "i"} if name == "CLIENT_SECRET" else {})
    variables.pop(name, None)
    found = loaded(tmp_path, monkeypatch, **variables, **{f"{name}_FILE": str(file)})[SECRETS[name]]
    if SECRETS[name] == "DATABASES":
        assert found["default"]["PASSWORD"] == (SECRET if name == "DB_PASS" else "pw")
        assert found["default"]["NAME"] == ("wear" if name == "DB_PASS" else "c")
    elif isinstance(found, list):
        assert found == SECRET.split(",")
    else:
        assert found == content


def test_a_file_that_is_missing_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        loaded(tmp_path, monkeypatch, SECRET_KEY_FILE=str(tmp_path / "none"), DB_NAME="wear")
