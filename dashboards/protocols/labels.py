"""Labels of a protocol's rules, with the sources of their defaults, and what changed between versions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboards.models import Alert
from dashboards.ui.formatting import NO_BREAK
from metrics.registry import BY_CODE
from participants.models import Protocol


def hours(count: int) -> str:
    """Whole days as days: 5 days; else 50 h."""
    days, rest = divmod(count, 24)
    return f"{days} days" if days > 2 and not rest else f"{count}{NO_BREAK}h"


def worn(minutes: int) -> str:
    """600 worn minutes as 10 h, 610 as 10 h 10."""
    whole, rest = divmod(minutes, 60)
    return f"{whole}{NO_BREAK}h{NO_BREAK}{rest:02d}" if rest else f"{whole}{NO_BREAK}h"


def _minutes(count: int) -> str:
    return f"{count}{NO_BREAK}min"


def _percent(count: float) -> str:
    return f"{count:g}{NO_BREAK}%"


def _share(share: float) -> str:
    return _percent(round(share * 100, 1))


def _nights(count: int) -> str:
    return f"under {count} of 7"


def _variants(minutes: list[int]) -> str:
    return ", ".join(worn(int(m)) for m in minutes) or "none"


def _metrics(codes: list[str]) -> str:
    return ", ".join(BY_CODE[code].name if code in BY_CODE else code for code in codes) or "none"


def _rules(rules: list[str]) -> str:
    known = dict(Alert.Rule.choices)
    return ", ".join(str(known.get(rule, rule)) for rule in rules) or "none"


def _names(names: list[str]) -> str:
    return ", then ".join(names) or "the one with most data"


def _clock(time: dt.time) -> str:
    return f"{time:%H:%M}"


def _steps(count: int) -> str:
    return f"{count:,} steps"


def _collected(collects: bool) -> str:
    return "collected" if collects else "not collected"


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule of a protocol: name, format of its value, meaning, source of its default."""

    field: str
    name: str
    write: Callable[[Any], str]
    meaning: str
    source: str = ""


BRAZENDALE = "10-hour rule of ActiWearCheck and fitibble; Brazendale 2019 (PMC6413843)"
GROUPS: dict[str, tuple[Rule, ...]] = {
    "Days and adherence": (
        Rule("valid_day_minutes", "Valid day", worn, "Worn at least so long: minutes with a heart rate.", BRAZENDALE),
        Rule("adherence_target", "Adherence target", _share, "Valid days of the days that count.", "trial brief"),
        Rule(
            "valid_day_variants", "Other definitions", _variants, "Reported beside it, in worn time.", "PMC6413843"
        ),
        Rule("valid_day_steps", "By steps", _steps, "The step-based definition of a valid day, reported beside it."),
        Rule("expected_metrics", "Expected data", _metrics, "Their coverage is reported for each day."),
        Rule(
            "collect_in_pauses", "Data of paused days", _collected,
            "Paused days never count. Not collected: nothing measured on them is fetched, saved, shown or exported.",
        ),
    ),
    "Uploads and gaps": (
        Rule("upload_warn_hours", "No data", hours, "Since the newest sample of any kind.", "trial brief"),
        Rule(
            "upload_critical_hours", "No data: critical", hours, "The team should call.",
            "advice to sync at least every 5 days",
        ),
        Rule(
            "lost_after_hours", "Presumed lost", hours, "A day for which nothing came by then is lost.",
            "minute data are kept about a week on the device (616-person weight-loss trial)",
        ),
        Rule("device_keeps_hours", "Device keeps detail", hours, "Unsynced data are lost after this time."),
        Rule("gap_minutes", "Gap", _minutes, "Shorter intervals without a heart rate are drop-outs."),
        Rule("battery_flat_percent", "Battery flat", _percent, "A last reading up to this explains missing uploads."),
        Rule("source_priority", "Which source wins", _names, "Where several devices measured the same."),
    ),
    "Sleep": (
        Rule("sleep_nights_warn", "Few nights", _nights, "Nights with a main sleep in the last 7.", "PMC10104388"),
        Rule("sleep_nights_critical", "Critically few nights", _nights, "The alert becomes critical.", "PMC10104388"),
    ),
    "Alerts and contacts": (
        Rule("alert_rules", "Rules that raise alerts", _rules, "Each raises, updates and resolves by itself."),
        Rule("never_connected_hours", "Never connected", hours, "From the invitation until an alert is raised."),
        Rule("contact_gap_hours", "Between two e-mails", hours, "No participant is written to twice within it."),
        Rule("quiet_from", "Quiet from", _clock, "No e-mail from here on, participant’s local time."),
        Rule("quiet_until", "Quiet until", _clock, "No e-mail before this, participant’s local time."),
    ),
}  # fmt: skip
RULES = {rule.field: rule for rules in GROUPS.values() for rule in rules}


def rules_by_group(protocol: Protocol) -> list[tuple[str, list[tuple[Rule, str]]]]:
    """Rules of a protocol by group, each with its value as text."""
    return [
        (title, [(rule, rule.write(getattr(protocol, rule.field))) for rule in rules])
        for title, rules in GROUPS.items()
    ]


@dataclass(frozen=True, slots=True)
class Change:
    """A rule that differs between two versions."""

    name: str
    before: str
    after: str


def changes(before: Protocol, after: Protocol) -> list[Change]:
    """Changes from one version to another, in the page's order."""
    return [
        Change(rule.name, rule.write(old), rule.write(new))
        for field, rule in RULES.items()
        if (old := getattr(before, field)) != (new := getattr(after, field))
    ]


@dataclass(frozen=True, slots=True)
class Version:
    """Version in the list: `state` is in force, to come, or past; what it changed of the one before."""

    protocol: Protocol
    state: str
    changes: list[Change]


def versions(protocols: list[Protocol], in_force: Protocol | None, today: dt.date) -> list[Version]:
    """All versions, the newest first; `protocols` in that order."""
    listed = []
    for place, protocol in enumerate(protocols):
        before = protocols[place + 1] if place + 1 < len(protocols) else None
        state = "in force" if protocol == in_force else "to come" if protocol.effective_on > today else "past"
        listed.append(Version(protocol, state, changes(before, protocol) if before else []))
    return listed
