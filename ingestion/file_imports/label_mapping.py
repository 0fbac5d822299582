"""Mapping of a file's labels to the participants of a trial, and to their time zones."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Sequence

from django.core.exceptions import ValidationError

from ingestion.file_imports.import_records import GIVEN
from ingestion.file_imports.rejected_rows import (
    CANNOT_BE_ENROLLED,
    ERASED,
    NO_STUDY_ID,
    NOT_ENROLLED,
    SEVERAL,
    WITHDRAWN,
)
from ingestion.providers.base.files import ForeignFile, RowsRefused
from ingestion.providers.local_time import zone_of_clock
from participants.forms import refusal_text
from participants.models import Participant, Trial
from participants.services import EnrolmentError, participant_enrol
from participants.study_ids import spelt, study_key

GONE = {Participant.Status.ERASED: ERASED, Participant.Status.WITHDRAWN: WITHDRAWN}


class Roster:
    """Participants of a trial by study id, as one import sees and enlarges them.

    `zone`: given by whoever imports; it is read before a participant's own. `new_zone`: asked, once, for the zone
    of people who are not enrolled yet; it returns the zone and how it was come by. `default_study_id`: that of files
    that do not say whose they are. Without `enrol` rows of unknown labels are refused. `dry`: nobody is enrolled.
    Labels are compared with study ids as participants.study_ids says.
    """

    def __init__(
        self,
        trial: Trial,
        *,
        zone: zoneinfo.ZoneInfo | None,
        new_zone: Callable[[], tuple[zoneinfo.ZoneInfo, str]],
        default_study_id: str | None = None,
        enrol: bool = True,
        dry: bool = False,
    ) -> None:
        self._trial, self._zone, self._prompt = trial, zone, new_zone
        self.default_study_id, self._enrol, self._dry = default_study_id, enrol, dry
        self._by_label: dict[str, Participant] = {}  # by label, of the file that is being read
        self._new: dict[str, Participant] = {}  # enrolled by this run, or as a dry run would, by what ids go by
        self._prompted: tuple[zoneinfo.ZoneInfo, str] | None = None
        self._zones: dict[str, str] = {}
        self._stated_zones: dict[str, tuple[zoneinfo.ZoneInfo, str]] = {}  # by what ids go by
        self.refused: dict[str, str] = {}

    @property
    def enrolled(self) -> list[str]:
        """Study ids that this run has enrolled, or as a dry run would."""
        return [participant.study_id for participant in self._new.values()]

    def next_file(self) -> None:
        """Forget participants found for the last file: they may have been enrolled, or have left, meanwhile."""
        self._by_label.clear()
        self._zones.clear()

    def whose(self, label: str | None) -> str:
        """Study id that a label of a file's name, or whoever imports, gives; empty where none does."""
        study_id = label or self.default_study_id or ""
        try:
            participant = self._find(study_id) if study_id else None
        except RowsRefused:
            participant = None
        return participant.study_id if participant else study_id

    def study_id(self, label: str | None) -> str:
        """Study id that a label stands for. Raises ForeignFile where there is none."""
        if label is None and self.default_study_id is None:
            raise ForeignFile("does not say whose data it holds: give --participant STUDY_ID")
        return label if label is not None else str(self.default_study_id)

    def zone_of(self, label: str | None) -> zoneinfo.ZoneInfo:
        """Time zone of a label's wall clock. Raises RowsRefused where its rows cannot be taken, ForeignFile too."""
        study_id = self.study_id(label)
        participant = self._find(study_id)
        if participant is None:
            self._must_be_enrollable(study_id)
        if participant is None or study_key(study_id) in self._new:
            zone, basis = self._for_new(study_id)
        else:
            self._must_be_here(study_id, participant)
            zone, basis = zoneinfo.ZoneInfo(participant.time_zone), "the participant's own"
            if self._zone:
                zone, basis = self._zone, GIVEN
        self._zones[participant.study_id if participant else study_id] = f"{zone.key}, {basis}"
        return zone

    def zone_now(self, study_id: str, *, given_then: bool) -> str | None:
        """Time zone in which a participant's wall-clock times would be read now, where it was given or corrected.

        `given_then`: they were read in one that was given with the import: only another one that is given is a reason.
        """
        if self._zone:
            return self._zone.key
        try:
            participant = None if given_then else self._find(study_id)
        except RowsRefused:
            participant = None
        return participant.time_zone if participant else None

    def note_clock(self, label: str | None, syncs: Sequence[tuple[int, int]]) -> None:
        """Note what a file says of a label's clock, as instants (microseconds UTC) and seconds east of UTC.

        It is the zone of people who are new, unless one was given; the trial's own is taken where it fits as well.
        """
        if label is None and self.default_study_id is None:
            return
        fitting = zone_of_clock(syncs, first=zoneinfo.ZoneInfo(self._trial.time_zone))
        if fitting:
            zone, fits = fitting
            basis = f"fits {fits:,} of {len(syncs):,} syncs in local time and UTC"
            self._stated_zones[study_key(self.study_id(label))] = zone, basis

    def participant(self, label: str | None) -> Participant:
        """Participant of a label, enrolled if need be. Raises RowsRefused and ForeignFile as `zone_of` does."""
        study_id = self.study_id(label)
        participant = self._find(study_id)
        if participant is None:
            self._must_be_enrollable(study_id)
            participant = self._enrol_now(study_id)
        self._must_be_here(study_id, participant)
        return participant

    def zones_used(self) -> dict[str, list[str]]:
        """Time zones read of this file, each with how it was come by, and the study ids it was read for."""
        zones: dict[str, list[str]] = {}
        for study_id, zone in sorted(self._zones.items()):
            zones.setdefault(zone, []).append(study_id)
        return zones

    def _find(self, study_id: str) -> Participant | None:
        """Participant with this study id. Raises RowsRefused where it is not clear which."""
        if known := self._by_label.get(study_id) or self._new.get(study_key(study_id)):
            return known
        enrolled = Participant.objects.filter(trial=self._trial).spelt_like([study_id])
        alike: dict[str, Participant] = {participant.study_id: participant for participant in enrolled}
        meant = spelt([study_id], alike).get(study_id)
        if meant is None:
            if alike:
                raise RowsRefused(self._refuse(study_id, SEVERAL))
            return None
        participant = self._by_label[study_id] = alike[meant]
        participant.trial = self._trial
        return participant

    def _for_new(self, study_id: str) -> tuple[zoneinfo.ZoneInfo, str]:
        if self._zone:
            return self._zone, GIVEN
        if zone_and_basis := self._stated_zones.get(study_key(study_id)):
            return zone_and_basis
        if self._prompted is None:
            self._prompted = self._prompt()
        return self._prompted

    def _must_be_here(self, study_id: str, participant: Participant) -> None:
        if why := GONE.get(Participant.Status(participant.status)):
            raise RowsRefused(self._refuse(study_id, why))

    def _must_be_enrollable(self, study_id: str) -> None:
        if not self._enrol:
            raise RowsRefused(self._refuse(study_id, NOT_ENROLLED))
        try:
            Participant._meta.get_field("study_id").clean(study_id, None)
        except ValidationError as error:
            raise RowsRefused(self._refuse(study_id, f"{NO_STUDY_ID}: {' '.join(error.messages)}")) from error

    def _enrol_now(self, study_id: str) -> Participant:
        """Enrol a new participant; one that another run enrols at this moment is taken too."""
        zone, _ = self._for_new(study_id)
        try:
            made = (
                Participant(trial=self._trial, study_id=study_id, time_zone=zone.key)
                if self._dry
                else participant_enrol(
                    trial=self._trial, study_id=study_id, time_zone=zone.key, status=Participant.Status.ACTIVE
                )
            )
        except (EnrolmentError, ValidationError) as error:
            if participant := self._find(study_id):
                return participant
            why = f"{CANNOT_BE_ENROLLED}: {refusal_text(error)}"
            raise RowsRefused(self._refuse(study_id, why)) from error
        self._new[study_key(study_id)] = made
        return made

    def _refuse(self, study_id: str, why: str) -> str:
        self.refused[study_id] = why
        return f"participant {study_id[:40]} {why}"[:200]
