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
from participants.team_texts import gettext


def hours(count: int) -> str:
    """Whole days as days: 5 days; else 50 h."""
    days, rest = divmod(count, 24)
    return gettext("{days} days").format(days=days) if days > 2 and not rest else f"{count}{NO_BREAK}h"


def worn(minutes: int) -> str:
    """600 worn minutes as 10 h, 610 as 10 h 10."""
    whole, rest = divmod(minutes, 60)
    return f"{whole}{NO_BREAK}h{NO_BREAK}{rest:02d}" if rest else f"{whole}{NO_BREAK}h"


def _minutes(count: int) -> str:
    return gettext("{count}\u00a0min").format(count=count)


def _percent(count: float) -> str:
    return f"{count:g}{NO_BREAK}%"


def _share(share: float) -> str:
    return _percent(round(share * 100, 1))


def _nights(count: int) -> str:
    return gettext("under {count} of 7").format(count=count)


def _variants(minutes: list[int]) -> str:
    return ", ".join(worn(int(m)) for m in minutes) or "none"


def _metrics(codes: list[str]) -> str:
    return ", ".join(BY_CODE[code].name if code in BY_CODE else code for code in codes) or "none"


def _rules(rules: list[str]) -> str:
    known = dict(Alert.Rule.choices)
    return ", ".join(str(known.get(rule, rule)) for rule in rules) or "none"


def _names(names: list[str]) -> str:
    return gettext(", then ").join(names) or gettext("the one with most data")


def _clock(time: dt.time) -> str:
    return f"{time:%H:%M}"


def _steps(count: int) -> str:
    return gettext("{count:,} steps").format(count=count)


def _collected(collects: bool) -> str:
    return gettext("collected") if collects else gettext("not collected")


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule of a protocol: name, format of its value, meaning, source of its default."""

    field: str
    name: str
    write: Callable[[Any], str]
    meaning: str
    source: str = ""


BRAZENDALE = gettext("10-hour rule of ActiWearCheck and fitibble; Brazendale 2019 (PMC6413843)")
GROUPS: dict[str, tuple[Rule, ...]] = {
    "Days and adherence": (
        Rule(
            "valid_day_minutes",
            gettext("Valid day"),
            worn,
            gettext("Worn at least so long: minutes with a heart rate."),
            BRAZENDALE,
        ),
        Rule(
            "adherence_target",
            gettext("Adherence target"),
            _share,
            gettext("Valid days of the days that count."),
            gettext("trial brief"),
        ),
        Rule(
            "valid_day_variants",
            gettext("Other definitions"),
            _variants,
            gettext("Reported beside it, in worn time."),
            "PMC6413843",
        ),
        Rule(
            "valid_day_steps",
            gettext("By steps"),
            _steps,
            gettext("The step-based definition of a valid day, reported beside it."),
        ),
        Rule(
            "expected_metrics", gettext("Expected data"), _metrics, gettext("Their coverage is reported for each day.")
        ),
        Rule(
            "collect_in_pauses",
            gettext("Data of paused days"),
            _collected,
            gettext(
                "Paused days never count. Not collected: nothing measured on them is fetched, saved, shown or exported."
            ),
        ),
    ),
    "Uploads and gaps": (
        Rule(
            "upload_warn_hours",
            gettext("No data"),
            hours,
            gettext("Since the newest sample of any kind."),
            gettext("trial brief"),
        ),
        Rule(
            "upload_critical_hours",
            gettext("No data: critical"),
            hours,
            gettext("The team should call."),
            gettext("advice to sync at least every 5 days"),
        ),
        Rule(
            "lost_after_hours",
            gettext("Presumed lost"),
            hours,
            gettext("A day for which nothing came by then is lost."),
            gettext("minute data are kept about a week on the device (616-person weight-loss trial)"),
        ),
        Rule(
            "device_keeps_hours",
            gettext("Device keeps detail"),
            hours,
            gettext("Unsynced data are lost after this time."),
        ),
        Rule("gap_minutes", gettext("Gap"), _minutes, gettext("Shorter intervals without a heart rate are drop-outs.")),
        Rule(
            "battery_flat_percent",
            gettext("Battery flat"),
            _percent,
            gettext("A last reading up to this explains missing uploads."),
        ),
        Rule(
            "source_priority", gettext("Which source wins"), _names, gettext("Where several devices measured the same.")
        ),
    ),
    "Sleep": (
        Rule(
            "sleep_nights_warn",
            gettext("Few nights"),
            _nights,
            gettext("Nights with a main sleep in the last 7."),
            "PMC10104388",
        ),
        Rule(
            "sleep_nights_critical",
            gettext("Critically few nights"),
            _nights,
            gettext("The alert becomes critical."),
            "PMC10104388",
        ),
    ),
    "Alerts and contacts": (
        Rule(
            "alert_rules",
            gettext("Rules that raise alerts"),
            _rules,
            gettext("Each raises, updates and resolves by itself."),
        ),
        Rule(
            "never_connected_hours",
            gettext("Never connected"),
            hours,
            gettext("From the invitation until an alert is raised."),
        ),
        Rule(
            "contact_gap_hours",
            gettext("Between two e-mails"),
            hours,
            gettext("No participant is written to twice within it."),
        ),
        Rule("quiet_from", gettext("Quiet from"), _clock, gettext("No e-mail from here on, participant’s local time.")),
        Rule(
            "quiet_until", gettext("Quiet until"), _clock, gettext("No e-mail before this, participant’s local time.")
        ),
    ),
}
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
        state = (
            gettext("in force")
            if protocol == in_force
            else gettext("to come")
            if protocol.effective_on > today
            else "past"
        )
        listed.append(Version(protocol, state, changes(before, protocol) if before else []))
    return listed
