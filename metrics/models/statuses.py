"""Statuses of days and participants, and the reasons behind them."""

from __future__ import annotations

from django.db import models


class DayStatus(models.TextChoices):
    """Status of a participant's local day. One letter, since there is one for each day of everybody."""

    PENDING = "p", "pending"
    VALID = "v", "valid"
    INVALID = "i", "invalid"
    LOST = "l", "lost"
    EXCLUDED = "x", "excluded"


class Exclusion(models.TextChoices):
    """Why a day does not count."""

    BEFORE_START = "before_start", "before monitoring began"
    AFTER_END = "after_end", "after monitoring ended"
    PAUSED = "paused", "paused"
    WITHDRAWN = "withdrawn", "withdrawn"
    PLATFORM = "platform", "a fault of the platform or the vendor"
    SHORT_DAY = "short_day", "a local day shorter than a valid day"


class Cause(models.TextChoices):
    """Why data are missing, in the order in which it is decided."""

    PAUSED = "paused", "paused"
    WITHDRAWN = "withdrawn", "withdrawn"
    NEVER_CONNECTED = "never_connected", "never connected"
    TOKEN_DEAD = "token_dead", "access ended"
    CONSENT_PARTIAL = "consent_partial", "consent partial"
    PLATFORM = "platform", "technical problem (ours or the vendor's)"
    NOT_SYNCED = "not_synced", "not yet synced"
    BATTERY_FLAT = "battery_flat", "battery flat"
    OFF_WRIST = "off_wrist", "off the wrist"
    UNKNOWN = "unknown", "unknown"


class Access(models.TextChoices):
    """Access to a participant's data: whether they can come to us by themselves."""

    NONE = "none", "nothing to connect"  # imports only
    NEVER = "never", "never connected"
    OK = "ok", "connected"
    DEAD = "dead", "access ended"
    PARTIAL = "partial", "consent partial"


class AttentionStatus(models.IntegerChoices):
    """Whether a participant needs attention and why, the most urgent first: its number sorts."""

    CRITICAL = 1, "Critical"
    RECONNECT = 2, "Reconnect"
    UNCONNECTED = 3, "Unconnected"
    SILENT = 4, "No data"
    LOW_WEAR = 5, "Low wear"
    LOW_SLEEP = 6, "Low sleep"
    WAITING = 7, "Technical delay"
    PAUSED = 8, "Paused"
    WELL = 9, "Well"
    COMPLETED = 10, "Completed"
    WITHDRAWN = 11, "Withdrawn"
