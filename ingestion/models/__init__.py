"""Models of ingestion: connections to vendors and their sync windows, files, synthetic devices."""

from ingestion.models.connections import Connection, ConnectionEvent, Device, DeviceReading, Invitation
from ingestion.models.files import ImportedPart, ImportFile, RejectedRow
from ingestion.models.operations import Heartbeat
from ingestion.models.sync import Fingerprint, SyncWindow, WebhookDelivery
from ingestion.models.synthetic import SyntheticDevice

__all__ = [
    "Connection",
    "ConnectionEvent",
    "Device",
    "DeviceReading",
    "Fingerprint",
    "Heartbeat",
    "ImportFile",
    "ImportedPart",
    "Invitation",
    "RejectedRow",
    "SyncWindow",
    "SyntheticDevice",
    "WebhookDelivery",
]
