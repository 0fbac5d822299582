"""Lists of the administration are narrowed by what they show, and columns that they hide cannot be probed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory

from participants.admin_site import Guarded
from participants.models import ApiToken, Contact, User
from tests import factories

pytestmark = pytest.mark.django_db
MODELS: list[Any] = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)


@pytest.fixture
def browser_client() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(factories.UserFactory.create(is_staff=True, is_superuser=True))
    return client


def hidden(model: Any) -> list[str]:
    """Columns that the list neither shows nor filters by."""
    page = admin.site._registry[model]
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True)
    shown = [*page.get_list_display(request), *page.get_list_filter(request), page.date_hierarchy or ""]
    names = {(one[0] if isinstance(one, (tuple, list)) else one) for one in shown}
    first = {name.partition("__")[0] for name in names if isinstance(name, str)}
    return [field.name for field in model._meta.concrete_fields if field.name not in first]


@pytest.mark.parametrize("model", MODELS)
def test_no_list_is_narrowed_by_a_column_that_it_hides(browser_client: Client, model: Any) -> None:
    address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    open_ones = []
    for name in hidden(model):
        for lookup in ("", "__startswith", "__contains", "__regex", "__gte", "__isnull"):
            answer = browser_client.get(address, {f"{name}{lookup}": "1"})
            if answer.status_code not in (400, 403):
                open_ones.append(f"{name}{lookup}: {answer.status_code}")
    assert open_ones == []


def test_every_page_is_guarded_whoever_registers_it() -> None:
    assert all(isinstance(page, Guarded) for page in admin.site._registry.values())


@pytest.mark.parametrize(
    ("model", "column"),
    [(Contact, "encrypted_email"), (Contact, "encrypted_name"), (ApiToken, "digest"), (User, "password")],
)
def test_secrets_are_among_the_hidden_columns(model: Any, column: str) -> None:
    assert column in hidden(model)


def test_filters_of_a_list_work(browser_client: Client) -> None:
    person = factories.ParticipantFactory.create(status="active")
    for query in ({"status__exact": "active"}, {"trial__id__exact": str(person.trial_id)}, {"q": person.study_id}):
        page = browser_client.get("/admin/participants/participant/", query)
        assert page.status_code == 200
        assert person.study_id in page.content.decode()


def test_a_new_form_is_filled_from_its_address_with_what_fits(browser_client: Client) -> None:
    person = factories.ParticipantFactory.create()
    filled = browser_client.get(
        "/admin/participants/pause/add/", {"participant": str(person.pk), "starts_on": "2026-11-01"}
    )
    assert f'value="{person.pk}" selected' in filled.content.decode()
    assert 'value="2026-11-01"' in filled.content.decode()
    for bad in ("x", "\0", "9" * 5000):
        page = browser_client.get(
            "/admin/participants/pause/add/", {"participant": bad, "starts_on": bad, "nothing": bad}
        )
        assert page.status_code == 200


def test_a_form_that_names_nobody_is_shown_again(browser_client: Client) -> None:
    page = browser_client.post(
        "/admin/participants/pause/add/", {"participant": "x", "starts_on": "2026-11-01", "reason": "r"}
    )
    assert page.status_code == 200
    assert "Select a valid choice" in page.content.decode()
