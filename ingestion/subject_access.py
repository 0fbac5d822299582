"""Sections of ingestion for a participant's right of access: connections, devices, sync windows."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext

from ingestion.erasure import notices_about
from ingestion.models import (
    Connection,
    ConnectionEvent,
    Device,
    DeviceReading,
    Fingerprint,
    ImportedPart,
    ImportFile,
    Invitation,
    RejectedRow,
    SyncWindow,
    SyntheticDevice,
    WebhookDelivery,
)
from participants.models import Participant
from participants.privacy.subject_access import Row, Section, rows_of


def sections(participant: Participant) -> Iterator[Section]:
    """Sections of this package, in the order in which they are read."""
    yield from _connections(participant)
    windows = SyncWindow.objects.filter(connection__participant=participant)
    yield Section(
        "connection/requests", gettext("What was asked for"),
        gettext("Each interval of your data that was requested from your device's maker: when, why, and how much "
                "came."),
        (SyncWindow,), rows_of(windows),
    )  # fmt: skip
    yield Section(
        "connection/hours-seen", gettext("Hours as your device's maker summed them up"),
        gettext("By these the platform notices that an hour was corrected and has to be read again."),
        (Fingerprint,), rows_of(Fingerprint.objects.filter(connection__participant=participant)),
    )  # fmt: skip
    yield Section(
        "connection/notices", gettext("Notices from your device's maker"),
        gettext("Messages that new data of yours are ready. They are kept for a short time."),
        (WebhookDelivery,), _notices(participant),
    )  # fmt: skip
    yield from _files(participant)


def _connections(participant: Participant) -> Iterator[Section]:
    yield Section(
        "connection/invitations", gettext("Your invitations"),
        gettext("When you were sent a link for connecting your device, and when it was opened and used. The link "
                "itself is not stored."),
        (Invitation,), rows_of(Invitation.objects.filter(participant=participant), leave_out=["nonce"]),
    )  # fmt: skip
    yield Section(
        "connection/connections", gettext("The connection with your device's maker"),
        gettext("Your account number there, what you allowed to be read, and since when."),
        (Connection,), rows_of(Connection.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "connection/history", gettext("What happened to the connection"),
        gettext("When it was made, when it broke and why."),
        (ConnectionEvent,), rows_of(ConnectionEvent.objects.filter(connection__participant=participant)),
    )  # fmt: skip
    yield Section(
        "connection/devices", gettext("Your devices"),
        gettext("The devices of your account: model, battery, and when they last sent data."),
        (Device,), rows_of(Device.objects.filter(connection__participant=participant)),
    )  # fmt: skip
    yield Section(
        "connection/batteries", gettext("Your devices over time"),
        gettext("Battery and last upload each time that they changed."),
        (DeviceReading,), rows_of(DeviceReading.objects.filter(device__connection__participant=participant)),
    )  # fmt: skip
    yield Section(
        "connection/made-up-devices", gettext("Made-up devices"),
        gettext("In trials for trying the platform, data may come from a program in place of a device."),
        (SyntheticDevice,), rows_of(SyntheticDevice.objects.filter(participant=participant)),
    )  # fmt: skip


def _notices(participant: Participant) -> Iterator[Row]:
    for notice in notices_about(participant).order_by("received_at"):
        text = bytes(notice.body).decode(errors="replace")
        yield {"received_at": notice.received_at, "handled_at": notice.handled_at, "text": text}


def _files(participant: Participant) -> Iterator[Section]:
    own = ImportFile.objects.filter(trial=participant.trial, whose=participant.study_id)
    yield Section(
        "imports/files", gettext("Files that were imported"),
        gettext("Files with your data that the trial's team gave to the platform. The files themselves are not kept."),
        (ImportFile,), rows_of(own),
    )  # fmt: skip
    yield Section(
        "imports/rows-not-taken", gettext("Rows of these files that could not be taken"),
        gettext("Where they stood in the file and why. What was in them is not kept."),
        (RejectedRow,), rows_of(RejectedRow.objects.filter(import_file__in=own)),
    )  # fmt: skip
    yield Section(
        "imports/rows-taken", gettext("What was taken from files"),
        gettext("From when to when, and how many values. The values themselves are among what was measured."),
        (ImportedPart,), rows_of(ImportedPart.objects.filter(participant=participant), leave_out=["content"]),
    )  # fmt: skip
