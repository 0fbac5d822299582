"""State machine over a participant's life: rules are what people and devices do, invariants are what must hold."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from django.conf import settings as site
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.test import Client
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ingestion.connections import end_of_collection, grants
from ingestion.connections import services as connections_services
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.live import Grant
from ingestion.sync import manual
from ingestion.sync.run import run_sync
from metrics.batch import MICROSECOND, Payload, SampleBatch, SourceKey, microseconds
from metrics.exports import export_request, service, store
from metrics.exports.runner import export_run
from metrics.maintenance import data_check
from metrics.models import DayStatus, Export, Gap, Measurement, ParticipantDay, ParticipantStatusSummary
from metrics.monitoring import evaluation, evidence
from metrics.registry import STEPS as METRIC_STEPS
from metrics.writing.writer import Frozen
from metrics.writing.writer import store as write
from participants import services
from participants.accounts.service_accounts import service_account_create
from participants.models import Membership, Participant, Pause, Protocol, Trial
from participants.privacy import erasure as privacy_erasure
from participants.privacy.data_map import data_inventory
from participants.services.api_tokens import token_create
from tests.actors import another_user
from tests.factories import MembershipFactory, ParticipantFactory, TrialFactory, UserFactory
from tests.ingestion.sync.fake import SOURCE, FakeVendor
from tests.properties.life import ONE_DAY, SPAN, ZONE, Life, local_date, midnight

SOURCES = {"Band A": SourceKey("files", "", "Band A"), "Band B": SourceKey("files", "", "Band B")}
GRANT = Grant("access-0", "refresh-0", dt.datetime(2036, 1, 1, tzinfo=dt.UTC), frozenset({"heart", "move"}))
NUMBERS = itertools.count(1)
# What may end a life's data. Each life has some of them: were all possible in each, few would have data in the end.
ENDINGS = ("withdraw", "erase", "close")
# Days back from today, and none (no bound).
BACK = st.integers(1, SPAN)
BOUND = st.none() | BACK
REFUSED = (
    ValueError,
    ValidationError,
    privacy_erasure.ErasureRefused,
    connections_services.ConnectRefused,
    manual.NotConnected,
    Frozen,
)


class Lives(RuleBasedStateMachine):
    """One trial, one participant, two devices and one account, and everybody who may do something about them."""

    vendor: FakeVendor  # set by the test, which lets the product ask it
    lived = 0

    @initialize(
        starts=BOUND, lasts=BOUND, trial_starts=BOUND, trial_lasts=BOUND, in_pauses=st.booleans(),
        preferred=st.sampled_from(["", *SOURCES]), endings=st.sets(st.sampled_from(ENDINGS)),
    )  # fmt: skip
    def enrol(
        self, starts: int | None, lasts: int | None, trial_starts: int | None, trial_lasts: int | None,
        in_pauses: bool, preferred: str, endings: set[str],
    ) -> None:  # fmt: skip
        type(self).lived += 1
        self.endings = endings
        today = local_date(timezone.now())
        begins, ends = self._interval(today, starts, lasts)
        trial_begins, trial_ends = self._interval(today, trial_starts, trial_lasts)
        self.life = Life(today, begins, ends, trial_begins, trial_ends, in_pauses, preferred)
        self.trial: Trial = TrialFactory.create(
            code=f"LIFE-{next(NUMBERS)}", starts_on=trial_begins, ends_on=trial_ends, protocol=None
        )
        Protocol.objects.create(
            trial=self.trial, effective_on=dt.date(2000, 1, 1), collect_in_pauses=in_pauses,
            source_priority=[preferred] if preferred else [],
        )  # fmt: skip
        self.person: Participant = ParticipantFactory.create(
            trial=self.trial, study_id=f"P-{self.trial.pk}", monitoring_starts_on=begins, monitoring_ends_on=ends
        )
        # As others have them open in their browsers: nobody reads again before they act.
        self.stale = Participant.objects.select_related("trial").get(pk=self.person.pk)
        self.manager = MembershipFactory.create(trial=self.trial, role=Membership.Role.MANAGER).user
        self.second = UserFactory.create()
        elsewhere = TrialFactory.create()
        program = service_account_create(trial=elsewhere, name=f"reader {self.trial.pk}", role="analyst").user
        _, self.foreign_key = token_create(user=program, name="x", expires_at=timezone.now() + 30 * ONE_DAY)
        self.vendor.points = {code: {} for code in self.vendor.points}
        self.vendor.token = "access-0"
        self.held: dict[str, dict[dt.datetime, float]] = {"pulse": {}, "walk": {}}
        self.asked_all = False

    @staticmethod
    def _interval(today: dt.date, starts: int | None, lasts: int | None) -> tuple[dt.date | None, dt.date | None]:
        """From and to; where both are given, in their order."""
        if starts and lasts and lasts > starts:
            starts, lasts = lasts, starts
        return today - starts * ONE_DAY if starts else None, today - lasts * ONE_DAY if lasts else None

    # --- what comes in -----------------------------------------------------------------------------------------

    @rule(
        source=st.sampled_from(sorted(SOURCES)), back=BACK, days=st.integers(1, 4), hours=st.sampled_from([3, 11]),
        good=st.booleans(),
    )  # fmt: skip
    def deliver(self, source: str, back: int, days: int, hours: int, good: bool) -> None:
        """Files of some days from one of the devices; those in which it was broken have no possible value."""
        for one in range(back, max(back - days, 0), -1):
            self._deliver(source, one, hours, good)

    def _deliver(self, source: str, back: int, hours: int, good: bool) -> None:
        date = self.life.today - back * ONE_DAY
        steps = [float(10 + back)] * (60 * (1 + list(SOURCES).index(source)))
        if not good:
            steps = [9_999.0] * len(steps)
        start = microseconds(midnight(date)) + 6 * 3600 * MICROSECOND
        minutes = np.arange(max(hours * 60, len(steps)), dtype=np.int64) * 60 * MICROSECOND + start
        rates = np.full(hours * 60, 70.0 if good else 0.5)
        batches = [
            SampleBatch("heart_rate", SOURCES[source], minutes[: hours * 60], rates),
            SampleBatch(
                "steps",
                SOURCES[source],
                minutes[: len(steps)],
                np.array(steps),
                np.full(len(steps), 60, dtype=np.int32),
            ),
        ]
        try:
            write(self.stale, Payload(samples=batches))
        except Frozen:
            assert self.life.gone or self.life.closed_on
            return
        assert not self.life.gone
        assert not self.life.closed_on
        if self.life.may_store(date):
            self.life.steps[source, date] = steps
            self.life.worn[source, date] = max(hours * 60, self.life.worn.get((source, date), 0))

    @rule(back=BACK, late=st.booleans())
    def the_account_measures(self, back: int, late: bool) -> None:
        """The third device's day, which its phone has uploaded, or has not yet."""
        start = midnight(self.life.today - back * ONE_DAY) + dt.timedelta(hours=8)
        kept = self.held if late else self.vendor.points
        for minute in range(0, 660, 5):
            kept["pulse"][start + dt.timedelta(minutes=minute)] = 65.0
        for minute in range(30):
            kept["walk"][start + dt.timedelta(minutes=minute)] = 50.0

    @rule()
    def the_phone_uploads(self) -> None:
        for code, points in self.held.items():
            self.vendor.points[code].update(points)
            points.clear()

    @rule(meanwhile=st.sampled_from(["nothing", "withdraw", "erase", "close", "pause"]), back=BACK)
    def connect(self, meanwhile: str, back: int) -> None:
        """They consent at the vendor's; while it is asked, somebody else does something."""
        if meanwhile in ENDINGS and meanwhile not in self.endings:
            meanwhile = "nothing"
        acts: dict[str, Callable[[], object]] = {
            "nothing": lambda: None,
            "withdraw": lambda: self.withdraw(back),
            "erase": self.erase,
            "close": self.close,
            "pause": lambda: self.pause(back, 0),
        }
        answer = self.vendor.devices
        self.vendor.devices = lambda token: (another_user(acts[meanwhile]), answer(token))[1]  # type: ignore[method-assign,assignment]
        try:
            connections_services.connect(
                participant=self.stale, provider=self.vendor, grant=GRANT, now=timezone.now(), invitation=None
            )
        except connections_services.ConnectRefused:
            return
        finally:
            self.vendor.devices = answer  # type: ignore[method-assign]
        assert not self.life.gone
        assert self.life.closed_on is None

    @rule(from_the_start=st.booleans())
    def sync(self, from_the_start: bool) -> None:
        linked = Connection.objects.filter(participant=self.person.pk).first()
        if linked is None:
            return
        try:
            if from_the_start:
                manual.backfill(linked, self.life.today - SPAN * ONE_DAY, timezone.now())
            else:
                manual.sync_now(linked, timezone.now())
        except REFUSED:
            return
        for _ in range(200):
            if not run_sync(linked.pk).windows:
                break
        self.asked_all = from_the_start and not any(self.held.values())

    # --- what people decide --------------------------------------------------------------------------------------

    @rule(back=BACK, days=st.integers(0, 3))
    def pause(self, back: int, days: int) -> None:
        first = self.life.today - back * ONE_DAY
        last = first + days * ONE_DAY
        try:
            services.pause_begin(self.stale, starts_on=first, ends_on=last, reason="holidays")
        except REFUSED:
            return
        self.life.pauses.append((first, last))

    @precondition(lambda self: self.life.pauses)
    @rule()
    def take_the_last_pause_back(self) -> None:
        first, _ = self.life.pauses[-1]
        try:
            services.pause_remove(Pause.objects.get(participant=self.person.pk, starts_on=first), why="a mistake")
        except (*REFUSED, Pause.DoesNotExist):
            assert self.life.gone
            return
        self.life.pauses.pop()

    @rule(starts=BOUND, lasts=BOUND)
    def change_the_dates(self, starts: int | None, lasts: int | None) -> None:
        begins, ends = self._interval(self.life.today, starts, lasts)
        try:
            services.participant_update(self.stale, monitoring_starts_on=begins, monitoring_ends_on=ends)
        except REFUSED:
            return
        self.life.starts_on, self.life.ends_on, self.asked_all = begins, ends, False

    @precondition(lambda self: "withdraw" in self.endings)
    @rule(back=BACK)
    def withdraw(self, back: int) -> None:
        """Back-dated or not. The second time it is refused."""
        on = self.life.today - back * ONE_DAY
        try:
            services.participant_withdraw(Participant.objects.get(pk=self.person.pk) if back % 2 else self.stale, on=on)
        except REFUSED:
            return
        assert not self.life.gone
        self.life.withdrawn_on = on

    @precondition(lambda self: "close" in self.endings and not self.life.closed_on)
    @rule()
    def close(self) -> None:
        services.trial_update(self.trial, status=Trial.Status.CLOSED)
        self.life.closed_on = self.life.closed_on or self.life.today
        # What workers do of it; their messages wait where nobody takes them.
        end_of_collection.end_trial(self.trial.pk, now=timezone.now())
        for pk in Connection.objects.filter(participant=self.person.pk).values_list("pk", flat=True):
            grants.give_back(pk, now=timezone.now())
        self._evaluated()

    @precondition(lambda self: self.life.closed_on)
    @rule()
    def open_again(self) -> None:
        services.trial_update(self.trial, status=Trial.Status.RUNNING)
        self.life.closed_on = None
        self._evaluated()

    def _evaluated(self) -> None:
        """A worker's part, too: the trial's participants are evaluated after its status changed."""
        person = Participant.objects.select_related("trial").get(pk=self.person.pk)
        if person.status != Participant.Status.ERASED:
            evaluation.refresh(person, now=timezone.now())

    @precondition(lambda self: "erase" in self.endings)
    @rule()
    def erase(self) -> None:
        try:
            requested = privacy_erasure.erasure_request(self.stale, by=self.manager, reason="asked for")
        except REFUSED:
            assert self.life.erased
            return
        privacy_erasure.erasure_decide(requested, by=self.second, approve=True)
        privacy_erasure.erase(requested.pk)
        self.life.erased = True

    # --- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def whoever_left_stays_out(self) -> None:
        """Neither withdrawn nor erased is anybody active again; nothing can be opened with what is left of a grant."""
        row = Participant.objects.get(pk=self.person.pk)
        if self.life.erased:
            assert row.status == Participant.Status.ERASED
            assert not [entry.model._meta.label for entry in data_inventory() if entry.of(row).exists()]
        elif self.life.withdrawn_on:
            assert (row.status, row.withdrawn_on) == (Participant.Status.WITHDRAWN, self.life.withdrawn_on)
        if self.life.gone or self.life.closed_on:
            assert not Connection.objects.filter(participant=row).exclude(encrypted_tokens="").exists()
            assert not SyncWindow.objects.filter(connection__participant=row, state="due").exists()

    @invariant()
    def whoever_is_not_due_would_come_out_the_same(self) -> None:
        """Evaluated an instant before their time comes, with the same evidence, they are what they are."""
        evaluated = F("status_summary__updated_at")
        people = Participant.objects.filter(pk=self.person.pk, status_summary__isnull=False)
        if self.life.erased or not (before := self._stored_status()):
            return
        at = min(before["evaluate_at"], timezone.now() + 10 * ONE_DAY) - dt.timedelta(microseconds=1)
        if at < timezone.now() or people.annotate(evaluated=evaluated).filter(evidence.may_have_changed(at)).exists():
            return
        with transaction.atomic():
            assert not evaluation.refresh_many(people, now=at)
            after = self._stored_status()
            transaction.set_rollback(True)
        assert after == before | {"updated_at": at}

    def _stored_status(self) -> dict[str, Any]:
        """What the evaluation has made of the participant."""
        summary = ParticipantStatusSummary.objects.filter(participant=self.person.pk).values().first()
        gaps = Gap.objects.filter(participant=self.person.pk).values(
            "date", "starts_at", "ends_at", "cause", "evidence"
        )
        return summary | {"gaps": list(gaps.order_by("starts_at"))} if summary else {}

    @invariant()
    def another_trials_program_sees_nothing(self) -> None:
        path = f"/api/v1/trials/{self.trial.code}/participants/{self.person.study_id}"
        assert Client(headers={"Authorization": f"Bearer {self.foreign_key}"}).get(path).status_code == 404

    @invariant()
    def no_more_is_collected_than_was_asked_for(self) -> None:
        """Of the account nothing is asked that the trial may not have, to the grid of the vendor's windows."""
        for _, _, start, end in self.vendor.requested:
            days = {local_date(start), local_date(end - dt.timedelta(seconds=1))}
            around = {date + n * ONE_DAY for date in days for n in (-1, 0, 1)}
            assert self.life.erased or any(self.collectable(date) for date in around)
        self.vendor.requested.clear()

    def collectable(self, date: dt.date) -> bool:
        return self.life.collected(date) or self.life.gone or bool(self.life.closed_on) or date >= self.life.today

    @rule(back=BACK, more=st.integers(0, SPAN))
    def a_days_value_is_the_same_over_any_span(self, back: int, more: int) -> None:
        date = self.life.today - back * ONE_DAY
        alone, within = self._daily_steps(date, date), self._daily_steps(date - more * ONE_DAY, self.life.today)
        assert alone.get(date) == within.get(date)
        if not self._from_account(date):
            assert alone.get(date) == self.life.counted_steps(date)

    @rule()
    def everything_says_the_same(self) -> None:
        """Exports, FHIR among them, daily table, series and days over the API, page, and the product's own check."""
        if self.life.erased:
            return
        self._samples_of_an_export()
        self._statuses()
        person = Participant.objects.select_related("trial").get(pk=self.person.pk)
        broken = [one for one in data_check.check([person]) if one.invariant != data_check.Invariant.COLLECTION]
        assert not broken

    @rule()
    def what_the_account_has_comes_in(self) -> None:
        """Whatever was late: after the phone has uploaded and everything was asked for once more, nothing lacks."""
        self.the_phone_uploads()
        self.sync(from_the_start=True)
        linked = Connection.objects.filter(participant=self.person.pk, status=Connection.Status.ACTIVE).first()
        if linked is None or not self.asked_all:
            return
        stored = Counter(
            local_date(at)
            for at in Measurement.objects.filter(
                participant=self.person.pk, metric=2, source__device_model=SOURCE.device_model
            ).values_list("time", flat=True)
        )
        first = self.life.today - SPAN * ONE_DAY
        if not (self.life.starts_on or self.life.trial_starts_on):  # then from the days watched before they connected
            first = local_date(linked.connected_at or timezone.now()) - site.SYNC_WATCH_DAYS * ONE_DAY
        for date in {local_date(at) for at in self.vendor.points["walk"]}:
            if self.life.may_store(date) and date >= first:
                assert stored[date] == 30, date

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.everything_says_the_same()
            self.a_days_value_is_the_same_over_any_span(back=SPAN // 2, more=SPAN // 2)

    # --- how it is looked at -----------------------------------------------------------------------------------------

    def _client(self) -> Client:
        client = Client()
        client.force_login(self.manager)
        return client

    def _daily_steps(self, first: dt.date, last: dt.date) -> dict[dt.date, float | None]:
        query = {
            "trial": self.trial.code, "participants": self.person.study_id, "metrics": "steps",
            "start": first.isoformat(), "end": last.isoformat(), "resolution": "1d", "statistics": "sum",
        }  # fmt: skip
        answer = self._client().get("/api/v1/series", query)
        if self.life.erased:
            assert answer.status_code in (400, 404)
            return {}
        assert answer.status_code == 200, answer.content
        (series,) = answer.json()["series"]
        return {
            dt.date.fromisoformat(date): value
            for date, value in zip(series["date"], series["sum"], strict=True)
            if value is not None
        }

    def _from_account(self, date: dt.date) -> bool:
        return any(local_date(at) == date for at in (*self.vendor.points["walk"], *self.held["walk"]))

    def _exported(self, kind: str) -> dict[str, bytes]:
        export = service.create(
            self.manager, export_request.check(self.manager, self.trial, format=kind, compressed=False)
        )
        export_run(export.pk)
        export.refresh_from_db()
        assert export.state == Export.State.DONE, export.error
        found = {}
        for file in export.files.all():
            with store.open_file(export, file.path) as opened:
                content = opened.read()
            found[file.path] = gzip.decompress(content) if file.path.endswith(".gz") else content
        return found

    def _samples_of_an_export(self) -> None:
        counted: Counter[dt.date] = Counter()
        for path, content in self._exported(Export.Format.CSV).items():
            if "steps" in path or "heart_rate" in path:
                for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"))):
                    date = local_date(dt.datetime.fromisoformat(row["time"]))
                    assert self.life.collected(date), f"{date} in {path}"
                    counted[date] += 1
        for date, n in self.life.samples().items():
            assert counted[date] == n if not self._from_account(date) else counted[date] >= n

    def _statuses(self) -> None:
        days = {day.date: day for day in ParticipantDay.objects.filter(participant=self.person.pk)}
        for date in self.life.dates():
            if date in days and not self.life.collected(date):
                assert days[date].status == DayStatus.EXCLUDED, date
        daily = self._exported(Export.Format.DAILY)["daily.csv"].decode("utf-8-sig")
        rows = {dt.date.fromisoformat(row["date"]): row for row in csv.DictReader(io.StringIO(daily))}
        assert {date: DayStatus(day.status).label for date, day in days.items()} == {
            date: row["day_status"] for date, row in rows.items()
        }
        answer: Any = self._client().get(f"/api/v1/trials/{self.trial.code}/participant-days", {"page_size": 500})
        assert answer.status_code == 200, answer.content
        told = {dt.date.fromisoformat(row["date"]): row["status"] for row in answer.json()["results"]}
        assert told == {date: row["day_status"] for date, row in rows.items()}
        of_fhir, worn_of_fhir = self._of_fhir()
        of_the_page = self._of_the_page(self.life.today - SPAN * ONE_DAY, self.life.today)
        for date, row in rows.items():
            steps = self._daily_steps(date, date).get(date)
            assert (float(row["steps"]) if row["steps"] else None) == steps, date
            assert of_fhir.get(date) == steps, date
            if date in worn_of_fhir:
                assert worn_of_fhir[date] == int(row["worn_minutes"]), date
            if date in of_the_page:
                assert of_the_page[date] == steps, date
            if not self.life.collected(date):
                assert not row["steps"]
                assert not row["heart_rate_mean"]

    def _of_fhir(self) -> tuple[dict[dt.date, float], dict[dt.date, int]]:
        """Steps and worn minutes by local date, as the Observations of an export tell them."""
        steps: dict[dt.date, float] = defaultdict(float)
        worn: dict[dt.date, int] = {}
        for path, content in self._exported(Export.Format.FHIR).items():
            for line in content.splitlines() if path.endswith(".ndjson") else ():
                found = json.loads(line)
                if found["resourceType"] != "Observation" or "valueQuantity" not in found:
                    continue
                # A value without a length is of an instant.
                start = found["effectivePeriod"]["start"] if "effectivePeriod" in found else found["effectiveDateTime"]
                date = dt.datetime.fromisoformat(start).astimezone(ZONE).date()
                value, codes = found["valueQuantity"]["value"], {one["code"] for one in found["code"]["coding"]}
                if codes & {"steps", METRIC_STEPS.concept}:
                    steps[date] += value
                elif "worn-minutes" in codes:
                    worn[date] = value
        return dict(steps), worn

    def _of_the_page(self, first: dt.date, last: dt.date) -> dict[dt.date, float | None]:
        """The table of steps on the participant's page; empty where they have no steps at all."""
        page = self._client().get(
            f"/trials/{self.trial.code}/participants/{self.person.study_id}/",
            {"metric": "steps", "from": first.isoformat(), "to": last.isoformat()},
        )
        assert page.status_code == 200
        drawn = [card for card in page.context.get("charts", ()) if card.metric == METRIC_STEPS]
        if not drawn:
            return {}
        table = drawn[0].table
        assert not table.cut
        newest_first = [last - n * ONE_DAY for n in range((last - first).days + 1)]
        return {
            date: None if row[1] == "–" else float(re.sub(r"[^0-9.]", "", row[1]))
            for date, row in zip(newest_first, table.rows, strict=True)
        }
