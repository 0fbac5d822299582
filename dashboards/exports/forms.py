"""Form of a new export: format, dates, metrics, participants. Empty means all."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from metrics import exports
from metrics.models import Export
from metrics.registry import METRICS
from participants.forms import DayField
from participants.models import Trial, User
from participants.team_texts import gettext

DATE = forms.DateInput(attrs={"type": "date", "class": "input"}, format="%Y-%m-%d")
MOST_IDS = 20_000  # characters

FORMAT_LABELS = {
    "daily": (
        gettext("Daily table"),
        gettext("One row a participant and day, with a data dictionary. CSV and Parquet, ready for R or SAS."),
    ),
    "parquet": (gettext("Parquet"), gettext("Every sample, by metric and date. For DuckDB, Polars, pandas, Spark.")),
    "csv": ("CSV", gettext("Every sample as text, compressed, a file a metric and month.")),
    "ndjson": ("NDJSON", gettext("Every sample as a JSON object on a line of its own.")),
    "fhir": ("HL7 FHIR R5", "Observations with LOINC and UCUM codes, for clinical systems."),
    "omh": ("Open mHealth", "IEEE 1752.1 data points, for health-data tools."),
}


class ExportForm(forms.Form):
    """As a form of the page; `checked` is the checked request. Errors of the service stand at their fields."""

    format = forms.ChoiceField(widget=forms.RadioSelect, initial="daily")
    start_on = DayField(label=gettext("From"), required=False, widget=DATE)
    end_on = DayField(label="To", required=False, widget=DATE)
    clock = forms.ChoiceField(
        label=gettext("Dates are"),
        choices=Export.Clock.choices,
        required=False,
        widget=forms.Select(attrs={"class": "select"}),
    )
    compression = forms.ChoiceField(
        label=gettext("Text files are compressed by"),
        choices=[
            ("gzip", gettext("gzip: opens everywhere")),
            ("zstd", gettext("zstd: quicker to read")),
            ("none", gettext("nothing")),
        ],
        required=False,
        widget=forms.Select(attrs={"class": "select"}),
    )
    metrics = forms.MultipleChoiceField(
        required=False, choices=[(metric.code, metric.name) for metric in METRICS], widget=forms.CheckboxSelectMultiple
    )
    participants = forms.CharField(
        label=gettext("Study ids"),
        required=False,
        max_length=MOST_IDS,
        widget=forms.Textarea(attrs={"class": "input", "rows": 3, "spellcheck": "false"}),
    )

    def __init__(self, user: User, trial: Trial, data: Any = None) -> None:
        super().__init__(data)
        self._user, self._trial = user, trial
        self.checked: Any = None
        self.fields["format"].choices = [(name, FORMAT_LABELS[name][0]) for name in self._offered()]  # type: ignore[attr-defined]

    @staticmethod
    def _offered() -> list[str]:
        return [name for name in FORMAT_LABELS if name in exports.FORMATS]

    def formats(self) -> list[tuple[str, str, str, bool]]:
        """The choices with a sentence each, and which is chosen."""
        chosen = self["format"].value()
        return [(name, *FORMAT_LABELS[name], name == chosen) for name in self._offered()]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if self.errors:
            return given
        ids = re.split(r"[\s,;]+", given["participants"].strip())
        try:
            self.checked = exports.check(
                self._user,
                self._trial,
                format=given["format"],
                start_on=given["start_on"],
                end_on=given["end_on"],
                clock=given["clock"] or Export.Clock.LOCAL,
                compressed=given["compression"] != "none",
                compression=given["compression"].replace("none", "") or Export.Compression.GZIP,
                metrics=given["metrics"],
                participants=[study_id for study_id in ids if study_id],
            )
        except ValidationError as refused:
            for name, problems in refused.message_dict.items():
                self.add_error(name if name in self.fields else None, problems)
        return given
