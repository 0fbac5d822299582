"""Whose rows are they? From the labels of a file to the participants of a trial, and to their time zones."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.core.exceptions import ValidationError

from ingestion.providers.base import ForeignFile, RowsRefused
from participants.models import Participant, Trial
from participants.services import EnrolmentError, participant_enrol

WITHDRAWN = "has withdrawn: her record does not change any more"


class Roster:
    """The trial's participants by study id, as one import sees and enlarges them.

    `zone`: given by whoever imports; it is read before a participant's own. `new_zone`: asked, once, for the zone
    of people who are not enrolled yet; it returns the zone and how it was come by. `person`: the study id of files
    that do not say whose they are. Without `enrol` rows of unknown labels are refused. `dry`: nobody is enrolled.
    """

    def __init__(
        self,
        trial: Trial,
        *,
        zone: zoneinfo.ZoneInfo | None,
        new_zone: Callable[[], tuple[zoneinfo.ZoneInfo, str]],
        person: str | None = None,
        enrol: bool = True,
        dry: bool = False,
    ) -> None:
        self._trial, self._zone, self._ask = trial, zone, new_zone
        self.person, self._enrol, self._dry = person, enrol, dry
        self._known = {person.study_id: person for person in Participant.objects.filter(trial=trial)}
        for participant in self._known.values():
            participant.trial = trial
        self._asked: tuple[zoneinfo.ZoneInfo, str] | None = None
        self._zones: dict[str, str] = {}
        self.enrolled: list[str] = []
        self.refused: dict[str, str] = {}

    def study_id(self, label: str | None) -> str:
        """The study id that a label stands for. Raises ForeignFile where there is none."""
        if label is None and self.person is None:
            raise ForeignFile("does not say whose data it holds: give --participant STUDY_ID")
        return label if label is not None else str(self.person)

    def zone_of(self, label: str | None) -> zoneinfo.ZoneInfo:
        """The zone of a label's wall clock. Raises RowsRefused where her rows cannot be taken, ForeignFile as above."""
        study_id = self.study_id(label)
        participant = self._known.get(study_id)
        if participant is None:
            self._must_be_enrollable(study_id)
        if participant is None or study_id in self.enrolled:
            zone, basis = self._for_new()
        elif participant.status == Participant.Status.ERASED:
            raise RowsRefused(self._refuse(study_id, "was erased"))
        elif participant.status == Participant.Status.WITHDRAWN:
            raise RowsRefused(self._refuse(study_id, WITHDRAWN))
        elif self._zone:
            zone, basis = self._zone, "given with the import"
        else:
            zone, basis = zoneinfo.ZoneInfo(participant.time_zone), "the participant's own"
        self._zones[study_id] = f"{zone.key}, {basis}"
        return zone

    def participant(self, label: str | None) -> Participant:
        """The participant herself, enrolled if need be. Raises RowsRefused and ForeignFile as `zone_of` does."""
        study_id = self.study_id(label)
        found = self._known.get(study_id) or self._look_up(study_id)
        if found is None:
            self._must_be_enrollable(study_id)
            found = self._enrol_now(study_id)
        if found.status == Participant.Status.ERASED:
            raise RowsRefused(self._refuse(study_id, "was erased"))
        if found.status == Participant.Status.WITHDRAWN:
            raise RowsRefused(self._refuse(study_id, WITHDRAWN))
        return found

    def zones_used(self) -> dict[str, list[str]]:
        """Zones read since the last call, each with how it was come by, and the study ids it was read for."""
        found: dict[str, list[str]] = {}
        for study_id, zone in sorted(self._zones.items()):
            found.setdefault(zone, []).append(study_id)
        self._zones.clear()
        return found

    def _look_up(self, study_id: str) -> Participant | None:
        """Somebody whom another run has enrolled since this one began."""
        if found := Participant.objects.filter(trial=self._trial, study_id=study_id).first():
            self._known[study_id] = found
        return found

    def _for_new(self) -> tuple[zoneinfo.ZoneInfo, str]:
        if self._zone:
            return self._zone, "given with the import"
        if self._asked is None:
            self._asked = self._ask()
        return self._asked

    def _must_be_enrollable(self, study_id: str) -> None:
        if not self._enrol:
            raise RowsRefused(self._refuse(study_id, "is not enrolled in this trial"))
        try:
            Participant._meta.get_field("study_id").clean(study_id, None)
        except ValidationError as error:
            raise RowsRefused(self._refuse(study_id, f"is no valid study id: {' '.join(error.messages)}")) from error

    def _enrol_now(self, study_id: str) -> Participant:
        zone, _ = self._for_new()
        try:
            found = (
                Participant(trial=self._trial, study_id=study_id, time_zone=zone.key)
                if self._dry
                else participant_enrol(
                    trial=self._trial, study_id=study_id, time_zone=zone.key, status=Participant.Status.ACTIVE
                )
            )
        except (EnrolmentError, ValidationError) as error:
            if found_after_all := self._look_up(study_id):
                return found_after_all
            why = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            raise RowsRefused(self._refuse(study_id, f"cannot be enrolled: {why}")) from error
        self._known[study_id] = found
        self.enrolled.append(study_id)
        return found

    def _refuse(self, study_id: str, why: str) -> str:
        self.refused[study_id] = why
        return f"participant {study_id[:40]} {why}"[:200]
