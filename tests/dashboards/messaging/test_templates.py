"""Letters: the substitution, plain text and HTML, the default texts, the limits' arithmetic."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.utils.translation import ngettext

from dashboards.messaging import (
    contact_limits,
    default_templates,
    template_engine,
    template_variables,
    templates,
)
from dashboards.models import MessageTemplate
from participants.models import Participant, Protocol, Trial
from participants.privacy.contacts import LANGUAGES, Reach
from participants.privacy.languages import in_language

ZONE = ZoneInfo("Europe/Amsterdam")
VALUES = {
    "first_name": "Zoë <b>",
    "device": "Band 4",
    "site_name": "Harbour",
    "reconnect_link": "https://x.example/c/1",
}


def test_an_unknown_variable_is_named_to_who_writes() -> None:
    with pytest.raises(template_engine.InvalidTemplate, match=r"There is no \{\{ fist_name \}\}"):
        template_engine.check("Dear {{ fist_name }}")


@pytest.mark.parametrize("text", ["{% include 'x' %}", "{{ first_name", "a }} b"])
def test_template_code_and_stray_braces_are_refused(text: str) -> None:
    with pytest.raises(template_engine.InvalidTemplate):
        template_engine.check(text)


def test_values_are_never_substituted_again() -> None:
    assert template_engine.plain("{{ first_name }}", {"first_name": "{{ device }}", "device": "x"}) == "{{ device }}\n"


def test_html_escapes_what_people_wrote_and_are_called() -> None:
    html = template_engine.html("Dear {{ first_name }}, <script>", VALUES, template_engine.EmailStyle())
    assert "Zoë &lt;b&gt;" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_paragraphs_and_lists_become_html() -> None:
    html = template_engine.html("One\ntwo\n\n1. a\n2. b\n\n- c", VALUES, template_engine.PreviewStyle())
    assert html == "<p>One<br>two</p>\n<ol><li>a</li><li>b</li></ol>\n<ul><li>c</li></ul>"


def test_a_link_is_one_in_html_and_text_in_plain() -> None:
    assert '<a href="https://x.example/c/1"' in template_engine.html(
        "{{ reconnect_link }}", VALUES, template_engine.EmailStyle()
    )
    assert template_engine.plain("{{ reconnect_link }}", VALUES) == "https://x.example/c/1\n"


def test_an_empty_value_takes_its_comma_along() -> None:
    assert template_engine.plain("{{ site_name }}, {{ site_phone }}", VALUES) == "Harbour\n"


def test_a_subject_is_one_line() -> None:
    assert template_engine.subject("A\r\nBcc: x@example.org", VALUES) == "A Bcc: x@example.org"


@pytest.mark.parametrize("code", default_templates.DEFAULT_TEMPLATES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_default_templates_are_complete_and_name_only_what_exists(code: str, language: str) -> None:
    texts = default_templates.texts(code, language)
    template_engine.check(texts.subject)
    template_engine.check(texts.body)
    assert texts.title
    assert len(texts.subject) <= 160


@pytest.mark.django_db
def test_a_trial_gets_its_templates_once_and_keeps_what_staff_changed() -> None:
    trial = Trial.objects.create(code="T")
    templates.templates_ensure(trial)
    MessageTemplate.objects.filter(trial=trial, code="sync", language="en").update(subject="Ours")
    templates.templates_ensure(trial)
    assert trial.message_templates.count() == 15
    assert trial.message_templates.get(code="sync", language="en").subject == "Ours"


def test_times_are_told_in_their_language_and_zone() -> None:
    at = dt.datetime(2026, 11, 14, 17, 2, tzinfo=dt.UTC)
    assert template_variables.when(at, ZONE, "en") == "Saturday 14 November, 18:02"
    assert template_variables.when(at, ZONE, "nl") == "zaterdag 14 november, 18:02 uur"
    assert template_variables.when(at, ZONE, "de") == "Samstag, 14. November, 18:02 Uhr"
    assert template_variables.when(None, ZONE, "fr") == "the study began"


def test_the_salvage_sentence_says_what_is_lost_by_waiting() -> None:
    now = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    assert "already gone" in template_variables.salvage(now, now, "en")
    assert "In 14 hours" in template_variables.salvage(now + dt.timedelta(hours=14), now, "en")
    assert "4 more days" in template_variables.salvage(now + dt.timedelta(days=4, hours=5), now, "en")
    assert template_variables.salvage(None, now, "en") == ""


@pytest.mark.parametrize(
    ("language", "one", "two"),
    [("en", "1 more day.", "2 more days."), ("nl", "1 dag.", "2 dagen."), ("de", "1 Tag auf.", "2 Tage auf.")],
)
def test_days_are_counted_as_the_language_does(language: str, one: str, two: str) -> None:
    forms = "The watch keeps them for about {n} more day.", "The watch keeps them for about {n} more days."
    with in_language(language):
        assert ngettext(*forms, 1).format(n=1).endswith(one)
    now = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    assert template_variables.salvage(now + dt.timedelta(days=2), now, language).endswith(two)


def test_hours_of_wear_have_the_decimal_sign_of_the_language() -> None:
    hours = [template_variables.wear_hours(minutes, language) for minutes in (600, 450) for language in ("en", "de")]
    assert hours == ["10", "10", "7.5", "7,5"]


def test_every_default_text_differs_between_languages() -> None:
    """A text that is the same in two languages was not translated."""
    for code in default_templates.DEFAULT_TEMPLATES:
        texts = [default_templates.texts(code, language) for language in LANGUAGES]
        assert len({one.title for one in texts}) == len({one.body for one in texts}) == len(LANGUAGES)
        assert default_templates.texts(code, "fr") == texts[0]


def quiet(at: str) -> dt.datetime | None:
    return contact_limits.quiet_until(dt.datetime.fromisoformat(at).replace(tzinfo=ZONE), ZONE, dt.time(21), dt.time(8))


def test_quiet_hours_run_over_midnight() -> None:
    morning = dt.datetime(2026, 11, 24, 7, tzinfo=dt.UTC)
    assert (quiet("2026-11-23T21:00"), quiet("2026-11-24T07:59")) == (morning, morning)
    assert quiet("2026-11-24T08:00") is None
    assert quiet("2026-11-23T20:59") is None


def test_quiet_hours_end_by_their_clock_in_the_night_when_clocks_change() -> None:
    assert quiet("2026-10-24T23:00") == dt.datetime(2026, 10, 25, 7, tzinfo=dt.UTC)
    assert quiet("2026-03-28T23:00") == dt.datetime(2026, 3, 29, 6, tzinfo=dt.UTC)


def test_the_gap_that_ends_in_quiet_hours_waits_for_their_end() -> None:
    now = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
    last = dt.datetime(2026, 11, 22, 21, tzinfo=dt.UTC)
    found = contact_limits.when(now=now, zone=ZONE, protocol=Protocol(), refused="", last_email=last)
    assert found == contact_limits.When(dt.datetime(2026, 11, 24, 7, tzinfo=dt.UTC), ("gap", "quiet"))


def test_who_left_opted_out_or_has_no_address_is_refused() -> None:
    now, active = dt.datetime(2026, 11, 23, tzinfo=dt.UTC), Participant.Status.ACTIVE
    assert contact_limits.refusal(Participant.Status.WITHDRAWN, Reach(has_email=True)) == contact_limits.LEFT
    assert contact_limits.refusal(active, Reach()) == contact_limits.NO_ADDRESS
    assert contact_limits.refusal(active, Reach(has_email=True, opted_out_at=now)) == contact_limits.OPTED_OUT
    assert contact_limits.refusal(active, Reach(has_email=True, bounced_at=now)) == contact_limits.BOUNCED
    assert contact_limits.refusal(active, Reach(has_email=True)) == ""
