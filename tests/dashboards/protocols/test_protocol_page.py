"""The protocol's page, new versions, and judging days anew by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from metrics.models import Recompute
from participants.models import AuditEntry, Membership, Participant, Protocol, Trial
from tests import broker, factories

pytestmark = pytest.mark.usefixtures("_now")
NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)
PAGE, NEW, ASK = "/trials/STRIDE-2/protocol/", "/trials/STRIDE-2/protocol/new/", "/trials/STRIDE-2/recomputes/"


def queued() -> list[tuple[int]]:
    """The recomputes that were handed to workers."""
    return broker.sent("metrics.recompute")


def form(**changes: Any) -> dict[str, Any]:
    """The form as it comes, valid from tomorrow, with the valid day at nine hours."""
    return {
        "effective_on": "2026-11-24", "valid_day_minutes": 540, "adherence_target": 0.7,
        "valid_day_variants": "480, 720", "valid_day_steps": 1500, "expected_metrics": ["heart_rate", "steps"],
        "upload_warn_hours": 48,
        "upload_critical_hours": 120, "lost_after_hours": 168, "device_keeps_hours": 168, "gap_minutes": 10,
        "battery_flat_percent": 10, "source_priority": "Charge 6\nSense 2", "sleep_nights_warn": 5,
        "sleep_nights_critical": 3, "alert_rules": ["no_upload"], "never_connected_hours": 72, "contact_gap_hours": 24,
        "quiet_from": "21:00", "quiet_until": "08:00", "collect_in_pauses": "True", **changes,
    }  # fmt: skip


def text(client: Client, address: str = PAGE) -> str:
    return client.get(address).content.decode().replace("\u00a0", " ")


def test_it_says_the_rules_in_plain_texts_with_their_sources(manager: Client) -> None:
    page = text(manager)
    for words in ("Version 1, in force since", "10 h", "70 %", "48 h", "5 days", "under 5 of 7", "PMC6413843"):
        assert words in page


def test_it_says_what_changed_between_versions(manager: Client, trial: Trial) -> None:
    factories.ProtocolFactory.create(trial=trial, version=2, effective_on=dt.date(2026, 12, 1), valid_day_minutes=480)
    page = text(manager)
    assert "to come" in page
    assert 'Valid day: <s>10 h</s> <span class="sr">became</span> <b>8 h</b>' in page


def test_a_manager_makes_a_version_from_tomorrow_on(manager: Client, trial: Trial) -> None:
    assert manager.post(NEW, form()).status_code == 303
    made = Protocol.objects.get(version=2)
    assert (made.effective_on, made.valid_day_minutes) == (dt.date(2026, 11, 24), 540)
    assert (made.source_priority, made.alert_rules) == (["Charge 6", "Sense 2"], ["no_upload"])
    assert not Recompute.objects.exists()


@pytest.mark.parametrize("date", ["2026-11-23", "2026-11-01"])
def test_no_version_begins_today_or_before_without_being_asked_for(manager: Client, trial: Trial, date: str) -> None:
    assert manager.post(NEW, form(effective_on=date)).status_code == 400
    assert manager.post(NEW, form(effective_on=date, retroactive="on")).status_code == 400
    assert manager.post(NEW, form(effective_on=date, confirmed="on")).status_code == 400
    assert Protocol.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_confirmed_one_begins_in_the_past_and_days_are_re_evaluated(manager: Client, trial: Trial) -> None:
    answer = manager.post(NEW, form(effective_on="2026-11-01", retroactive="on", confirmed="on"))
    run = Recompute.objects.get()
    assert answer.headers["Location"] == f"{ASK}{run.pk}/"
    assert (run.since, run.why) == (dt.date(2026, 11, 1), "Version 2 of the protocol")
    assert queued() == [(run.pk,)]


WRONG: dict[str, dict[str, Any]] = {
    "a day of 25 hours": {"valid_day_minutes": 1500},
    "critical before silent": {"upload_critical_hours": 24},
    "lost before critical": {"lost_after_hours": 100},
    "eight nights a week": {"sleep_nights_warn": 8},
    "critical above few": {"sleep_nights_critical": 6},
    "a target above all": {"adherence_target": 1.2},
    "a rule that there is not": {"alert_rules": ["gossip"]},
    "variants in words": {"valid_day_variants": "ten hours"},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_refused(manager: Client, trial: Trial, changes: dict[str, Any]) -> None:
    assert manager.post(NEW, form(**changes)).status_code == 400
    assert Protocol.objects.count() == 1


def test_a_version_that_changes_nothing_is_refused(manager: Client, trial: Trial) -> None:
    manager.post(NEW, form())
    assert manager.post(NEW, form(effective_on="2026-12-24")).status_code == 400


@pytest.mark.parametrize("role", [Membership.Role.COORDINATOR, Membership.Role.ANALYST, Membership.Role.VIEWER])
def test_others_look_and_do_not_change(client: Client, trial: Trial, role: str) -> None:
    client.force_login(factories.MembershipFactory.create(trial=trial, role=role).user)
    assert "New version" not in text(client)
    assert client.post(NEW, form()).status_code == client.post(ASK, {"why": "x"}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_days_are_re_evaluated_by_hand_with_a_reason(manager: Client, trial: Trial) -> None:
    manager.post(ASK, {"why": "an upgrade"})
    run = Recompute.objects.get()
    assert (run.why, run.since, run.by, run.asked_at) == ("an upgrade", None, Membership.objects.get().user, NOW)
    assert queued() == [(run.pk,)]


def test_a_reason_must_be_given(manager: Client, trial: Trial) -> None:
    manager.post(ASK, {"why": " "})
    manager.post(ASK, {"why": "an upgrade", "since": "once"})
    assert not Recompute.objects.exists()


@pytest.fixture
def run(trial: Trial, participant: Participant) -> Recompute:
    """A recompute that is done: twelve days of two people changed."""
    factories.ParticipantFactory.create(trial=trial, study_id="AX-0077")
    return Recompute.objects.create(
        trial=trial, why="Version 2", asked_at=NOW, started_at=NOW, finished_at=NOW, total=2, done=2, days=180,
        changed={"v>i": 12, ">p": 3}, people={"AX-0042": [10, 0.82, 0.7], "AX-0077": [2, None, 0.5]},
    )  # fmt: skip


def test_while_it_runs_the_page_asks_again_and_says_how_far(manager: Client, trial: Trial) -> None:
    began = NOW - dt.timedelta(seconds=30)
    run = Recompute.objects.create(trial=trial, why="x", asked_at=began, started_at=began, total=100, done=25, days=900)
    page = text(manager, f"{ASK}{run.pk}/")
    assert "25&nbsp;% of the participants" in page
    assert "about 90 s left" in page
    assert 'hx-trigger="every 2s"' in page
    Recompute.objects.update(finished_at=NOW)
    assert manager.get(f"{ASK}{run.pk}/", headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"


def test_it_says_which_days_changed_and_how_adherence_did(manager: Client, run: Recompute) -> None:
    page = text(manager, f"{ASK}{run.pk}/")
    assert '<td>Valid</td><td>Invalid</td><td class="num">12</td>' in page
    assert "Not assessed" in page
    assert '<td class="num">82 %</td><td class="num">70 %</td><td class="num">-12.0</td>' in page


def test_days_that_a_fault_took_away_are_excluded_ones(manager: Client, run: Recompute) -> None:
    Recompute.objects.update(changed={"l>f": 4})
    assert '<td>Lost</td><td>Excluded</td><td class="num">4</td>' in text(manager, f"{ASK}{run.pk}/")


def test_its_people_come_as_csv(manager: Client, run: Recompute) -> None:
    answer = manager.get(f"{ASK}{run.pk}/", {"format": "csv"})
    body = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert body == [
        "study_id,days_changed,adherence_before,adherence_after",
        "AX-0042,10,0.8200,0.7000",
        "AX-0077,2,,0.5000",
    ]
    entry = AuditEntry.objects.get(action="trial.download")
    assert (entry.trial_id, entry.thing) == (run.trial_id, f"recompute:{run.pk}")


def test_a_site_member_reads_of_their_people_only(client: Client, trial: Trial, run: Recompute) -> None:
    here = factories.SiteFactory.create(trial=trial)
    Participant.objects.filter(study_id="AX-0077").update(site=here)
    client.force_login(factories.MembershipFactory.create(trial=trial, site=here).user)
    page = text(client, f"{ASK}{run.pk}/")
    assert "AX-0077" in page
    assert "AX-0042" not in page
    assert "Changed days" not in page
    answer = client.get(f"{ASK}{run.pk}/", {"format": "csv"})
    assert b"AX-0042" not in b"".join(answer.streaming_content)  # type: ignore[attr-defined]


def test_another_trials_recompute_is_not_found(manager: Client, trial: Trial) -> None:
    other = Recompute.objects.create(trial=factories.TrialFactory.create(), why="x", asked_at=NOW)
    assert manager.get(f"{ASK}{other.pk}/").status_code == 404


@pytest.mark.parametrize(("said", "collects"), [("True", True), ("False", False)])
def test_whether_paused_days_are_collected_is_chosen_by_label(
    manager: Client, trial: Trial, said: str, collects: bool
) -> None:
    assert "nothing measured on them is fetched, saved, shown or exported" in text(manager, NEW)
    assert manager.post(NEW, form(collect_in_pauses=said)).status_code == 303
    assert Protocol.objects.get(version=2).collect_in_pauses is collects
    assert ("<b>not collected</b>" in text(manager)) is not collects


def test_whether_paused_days_are_collected_must_be_said(manager: Client) -> None:
    assert manager.post(NEW, form(collect_in_pauses="")).status_code == 400
    assert not Protocol.objects.filter(version=2).exists()
