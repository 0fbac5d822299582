"""Values that nobody types, in every parameter of every address, form and body: refused or left out, never a fault.

Which parameters a page reads is found by watching it read them, so a new page or field is tried without being named
here. The API's are those of its document; the administration's are its filters and all fields of its models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.contrib import admin
from django.core.cache import caches
from django.db import transaction
from django.test import Client, override_settings
from django.utils.datastructures import MultiValueDict

from config.api import docs
from config.middleware.limits import SHARED
from participants.models import Membership, Trial, User
from tests import database, factories
from tests.access import addresses
from tests.api.conftest import token_key
from tests.api.scene import CODE, PK, STUDY_ID, scene

DIGITS = "9" * 5000
# Tried in each parameter alone, the others being plausible.
WORST = ("\0", DIGITS, "9999-12-31")
# Tried in all parameters at once.
BAD = (
    *WORST, "0001-01-01", "", "x", "-1", "a\r\nBcc: b@example.org\0", "9223372036854775808", "NaN", "1e400", "٣²",
    "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "x" * 10_000, "[" * 5000, '{"a":' * 5000, "25:99",
    "00000000-0000-4000-8000-000000000000", "\ufffd\u202e%../,,'[{{ 7 }}",
)  # fmt: skip
FEW = (*WORST, "x", "a\r\nb", "9223372036854775808")
# What lets a page read on, where 1 would be refused.
PLAUSIBLE = {
    "on": "2026-11-01", "from": "2026-11-01", "since": "2026-11-01", "first": "2026-11-01", "until": "2026-11-20",
    "start": "2026-11-18", "end": "2026-11-18", "as_of": "2026-11-01", "confirm": STUDY_ID, "version": "1.0",
    "to": STUDY_ID, "listed": STUDY_ID, "days": "3", "outcome": "Reached her", "metric": "heart_rate",
    "metrics": "heart_rate", "format": "daily", "clock": "local", "do": "send", "trials": CODE,
}  # fmt: skip
NAMES: set[str] = set()


@pytest.fixture(scope="module")
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """One transaction for all tests here, undone at the end. By the name by which pytest-django sees who needs one."""
    with database.one_transaction(django_db_blocker):
        yield


@pytest.fixture(scope="module")
def user(db: None) -> Iterator[User]:
    """Somebody who may do everything: manages the trial of the scene, and is its superuser."""
    with override_settings(API_RATE="1000000/minute", TOKEN_KEYS=["a-key-for-the-tests"]):
        trial = scene()
        made: User = factories.UserFactory.create(is_staff=True, is_superuser=True)
        factories.MembershipFactory.create(user=made, trial=trial, role=Membership.Role.MANAGER)
        yield made


class BrowserClient(Client):
    """Somebody signed in, who is so again at each request, whatever the one before did."""

    def __init__(self, user: User) -> None:
        super().__init__(raise_request_exception=False)
        self.force_login(user)
        self._signed_in = SimpleCookie(self.cookies)

    def request(self, **request: Any) -> Any:
        self.cookies = SimpleCookie(self._signed_in)
        return super().request(**request)


@pytest.fixture(scope="module")
def browser_client(user: User) -> Client:
    return BrowserClient(user)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collects in NAMES which parameters are read of an address or a form."""
    for method in ("get", "getlist", "__getitem__", "__contains__"):
        original = getattr(MultiValueDict, method)

        def watched(self: Any, name: Any, *rest: Any, _original: Any = original, **more: Any) -> Any:
            if isinstance(name, str):
                NAMES.add(name)
            return _original(self, name, *rest, **more)

        monkeypatch.setattr(MultiValueDict, method, watched)


def sent(client: Client, method: str, address: str, values: Any, **more: Any) -> int:
    """The status of the answer; what it did is undone."""
    caches[SHARED].clear()
    with transaction.atomic():
        answer = getattr(client, method)(address, values, **more)
        if answer.streaming:
            b"".join(answer.streaming_content)
        transaction.set_rollback(True)
    return int(answer.status_code)


def names_read(client: Client, method: str, address: str) -> set[str]:
    """The parameters that a page reads, found by sending it plausible ones until it reads no others."""
    known: set[str] = set()
    for _ in range(4):
        NAMES.clear()
        sent(client, method, address, {name: PLAUSIBLE.get(name, "1") for name in known})
        found = {name for name in NAMES if name != "csrfmiddlewaretoken"}
        if found <= known:
            break
        known |= found
    return known


def faults(client: Client, method: str, address: str, names: set[str]) -> list[str]:
    """Where hostile values of these parameters make a fault."""
    good = {name: PLAUSIBLE.get(name, "1") for name in names}
    tried = [(dict.fromkeys(names, bad), f"all = {bad[:30]!r}") for bad in BAD]
    tried += [(good | {name: bad}, f"{name} = {bad[:30]!r}") for name in sorted(names) for bad in WORST]
    return [f"{method} {address} with {said}" for values, said in tried if sent(client, method, address, values) >= 500]


PAGES = [route for route in addresses.routes() if not route.startswith(("admin/", "api/", "data/"))]


@pytest.mark.parametrize("route", PAGES)
def test_no_value_breaks_a_page(browser_client: Client, reading: None, route: str) -> None:
    address = addresses.address(route)
    found = []
    for method in ("get", "post"):
        if names := names_read(browser_client, method, address):
            found += faults(browser_client, method, address, names)
    assert not found, "\n".join(found)


def test_pages_are_seen_reading_their_parameters(browser_client: Client, reading: None) -> None:
    trial = f"/trials/{CODE}/"
    assert {"q", "site", "show", "sort", "page", "format"} <= names_read(browser_client, "get", trial)
    consent = f"{trial}participants/{STUDY_ID}/consent/"
    assert {"confirm", "on", "reason"} <= names_read(browser_client, "post", f"{consent}withdraw/")
    assert "days" in names_read(browser_client, "post", f"{trial}alerts/{PK}/snooze/")


@pytest.mark.parametrize("bad", ["%00", "a%00b", DIGITS, "0001-01-01", "%0d%0a", "x" * 3000, "%c3%28", "%ed%a0%80"])
def test_no_value_in_an_address_breaks_it(browser_client: Client, bad: str) -> None:
    found = []
    for route in addresses.routes():
        if "{" in route and not route.startswith("admin/"):
            head, _, rest = route.partition("{")
            tail = rest.partition("}")[2]
            address = f"/{head}{bad}" + addresses.address(tail)[1:] if "{" in tail else f"/{head}{bad}{tail}"
            found += [f"{m} {address[:80]}" for m in ("get", "post") if sent(browser_client, m, address, {}) >= 500]
    assert found == []


# --- the administration -------------------------------------------------------------------------------------------


ADMINISTERED: list[Any] = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)


def of_lists(model: Any) -> set[str]:
    """What a list of the administration may be asked for."""
    names = {"q", "p", "o", "e", "all", "_popup", "_to_field", "_changelist_filters"}
    for field in model._meta.get_fields():
        if field.concrete:
            lookups = ("", "__exact", "__in", "__gte", "__year", "__id__exact")
            names |= {f"{field.name}{lookup}" for lookup in lookups}
    for one in admin.site._registry[model].list_filter:
        name = one[0] if isinstance(one, (tuple, list)) else one
        if isinstance(name, str):
            names |= {name, f"{name}__exact", f"{name}__id__exact", f"{name}__isnull"}
        else:
            names.add(getattr(name, "parameter_name", ""))
    return names


@pytest.mark.filterwarnings("ignore:DateTimeField")  # Django's own, of any date in a list's address
@pytest.mark.parametrize("model", ADMINISTERED)
def test_no_value_breaks_a_list_of_the_administration(browser_client: Client, model: Any) -> None:
    address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    tried = [(name, bad) for name in sorted(of_lists(model)) for bad in ("x", *WORST)]
    found = [f"{name}={bad[:20]!r}" for name, bad in tried if sent(browser_client, "get", address, {name: bad}) >= 500]
    assert not found, f"{address}: " + ", ".join(found)


@pytest.mark.parametrize("model", ADMINISTERED)
def test_no_value_breaks_a_choice_of_the_administration(browser_client: Client, model: Any) -> None:
    named = {"app_label": model._meta.app_label, "model_name": model._meta.model_name}
    fields = [field.name for field in model._meta.get_fields() if field.concrete and field.many_to_one]
    tried = [(name, bad) for name in fields for bad in ("x", *WORST)]
    found = [
        f"{name}: {bad[:20]!r}"
        for name, bad in tried
        if sent(browser_client, "get", "/admin/autocomplete/", named | {"field_name": name, "term": bad}) >= 500
    ]
    assert not found


@pytest.mark.parametrize("model", ADMINISTERED)
def test_no_value_breaks_a_form_of_the_administration(browser_client: Client, reading: None, model: Any) -> None:
    start = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    one = model._default_manager.order_by("pk").first()
    found = []
    for address in [f"{start}add/", *([f"{start}{one.pk}/change/"] if one else [])]:
        names = names_read(browser_client, "post", address) - {"_to_field", "_popup"}
        # What stands in the address fills a new form.
        tried = [(m, dict.fromkeys(names, bad), f"all = {bad[:30]!r}") for bad in FEW for m in ("post", "get")]
        tried += [("get", {name: "x"}, f"{name} = x") for name in sorted(names)]
        found += [
            f"{m} {address} {said}" for m, values, said in tried if sent(browser_client, m, address, values) >= 500
        ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 100_000, "[" + "9" * 5000 + "]", '{"a": NaN}', "\ufeff{}", "[1", ""]
)
def test_a_body_that_is_no_json_or_nested_too_deeply_is_a_bad_request(user: User, body: str) -> None:
    key = token_key(user, can_write=True, trials=[Trial.objects.get(code=CODE)])
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {key}"})
    wrong = []
    for method, route in operations():
        if method in ("POST", "PUT", "PATCH"):
            address = addresses.address(route)
            status = sent(client, method.lower(), address, body, content_type="application/json")
            if status >= 500 or (body.startswith(("[[", '{"a":{')) and described(method, route)[1] and status != 400):
                wrong.append(f"{method} {address}: {status}")
    assert wrong == []


# --- the API ------------------------------------------------------------------------------------------------------

HOSTILE: tuple[Any, ...] = (
    *WORST, "0001-01-01", "x", "\ud800", 10**30, 1.5, float("nan"), True, None, [[None]], {"a": {"b": "\0"}}, ["\0"],
    [DIGITS],
)  # fmt: skip


def operations() -> list[tuple[str, str]]:
    return sorted(addresses.operations())


def described(method: str, route: str) -> tuple[set[str], set[str]]:
    """Parameters of the address and properties of the body, by the document."""
    document = docs.document()
    operation = document["paths"][f"/{route}"][method.lower()]
    query = {one["name"] for one in operation.get("parameters", []) if one.get("in") == "query"}
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return query, set(schema.get("properties", {}))


@pytest.mark.parametrize(("method", "route"), operations())
def test_no_value_breaks_an_operation_of_the_api(user: User, method: str, route: str) -> None:
    key = token_key(user, can_write=True, trials=[Trial.objects.get(code=CODE)])
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {key}", "Accept": "*/*"})
    address = addresses.address(route)
    query, body = described(method, route)
    asked = [{name: bad} for name in sorted(query) for bad in FEW] + [dict.fromkeys(query, bad) for bad in BAD]
    found = [
        ", ".join(f"{name}={bad[:20]!r}" for name, bad in values.items())
        for values in (asked if method == "GET" else ())
        if sent(client, "get", address.partition("?")[0], values) >= 500
    ]
    for name in sorted(body):
        for bad in HOSTILE:
            text = json.dumps({name: bad})
            if sent(client, method.lower(), address, text, content_type="application/json") >= 500:
                found.append(f"{name}: {text[:50]}")
    assert not found, f"{method} {address}: " + "; ".join(found)
