"""Control API under /_sim/: the ground truth, the clock, and everything that can be made to happen. Loopback only."""

from __future__ import annotations

import datetime as dt
import ipaddress
import time
from collections.abc import Callable
from typing import Any

import orjson

from ingestion.providers.google_health.simulator import expected
from ingestion.providers.google_health.simulator.accounts import Account
from ingestion.providers.google_health.simulator.errors import GoogleError, invalid
from ingestion.providers.google_health.simulator.events import Events, hold
from ingestion.providers.google_health.simulator.faults import PROFILES
from ingestion.providers.google_health.simulator.ground_truth import FAMILIES, GroundTruth
from ingestion.providers.google_health.simulator.messages import JSON_TYPE, Request, Response, json_response, refusal
from ingestion.providers.google_health.simulator.oauth import OAuth
from ingestion.providers.google_health.simulator.records import stamp
from ingestion.providers.google_health.simulator.statistics import Statistics
from ingestion.providers.google_health.simulator.types import SCOPES, TYPES, DataType
from metrics.batch import MICROSECOND, microseconds


class Control:
    def __init__(self, ground_truth: GroundTruth, oauth: OAuth, events: Events, statistics: Statistics) -> None:
        self._ground_truth = ground_truth
        self._state = ground_truth.state
        self._oauth = oauth
        self._events = events
        self._statistics = statistics
        self._gets: dict[str, Callable[[dict[str, str]], Response]] = {
            "truth": self._rows,
            "nights": self._nights,
            "accounts": self._accounts,
            "clock": lambda _: json_response(self._clock()),
            "stats": lambda _: json_response(self._statistics.report()),
        }
        self._posts: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "clock": self._set_clock,
            "restate": lambda body: self._change(body, "restate"),
            "delete": lambda body: self._change(body, "delete"),
            "late": self._late,
            "revoke": self._revoke,
            "expire": self._expire,
            "deny": self._deny,
            "disturb": self._disturb,
            "faults": self._faults,
            "tokens": self._tokens,
            "reset_stats": lambda _: self._statistics.reset(),
        }

    def handle(self, request: Request) -> Response:
        """Handle a request under /_sim/."""
        name = request.path.removeprefix("/_sim/").strip("/")
        try:
            if not ipaddress.ip_address(request.peer).is_loopback:
                raise GoogleError(403, None, "The control API answers this machine only.")
            if request.method == "GET" and name in self._gets:
                return self._gets[name](request.query)
            if request.method == "POST" and name in self._posts:
                return json_response(self._posts[name](request.json()))
            raise GoogleError(404, None, f"GET {', '.join(self._gets)}; POST {', '.join(self._posts)}")
        except GoogleError as error:
            return refusal(error)

    # --- reading -----------------------------------------------------------------------------------------------

    def _rows(self, query: dict[str, str]) -> Response:
        account, low, high = self._account(query), _time(query, "start"), _time(query, "end")
        family = FAMILIES.get(query.get("family", "all-sources"))
        if family is None:
            raise invalid(None, f"family is one of {', '.join(FAMILIES)}.")
        type_id = query.get("type")
        types = expected.STORED if type_id in (None, "all") else [str(type_id)]
        rows = [row for name in types for row in expected.rows(self._ground_truth, account, name, low, high, family)]
        if query.get("format") == "arrow":
            return Response(200, expected.arrow(rows), {"Content-Type": "application/vnd.apache.arrow.stream"})
        content = {
            "user": account.health_id,
            "uploaded_until": self._ground_truth.uploaded_until(account),
            "rows": rows,
        }
        return Response(200, orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), dict(JSON_TYPE))

    def _nights(self, query: dict[str, str]) -> Response:
        account, low, high = self._account(query), _time(query, "start"), _time(query, "end")
        return json_response({"nights": expected.nights(self._ground_truth, account, low, high)})

    def _accounts(self, _: dict[str, str]) -> Response:
        return json_response(
            {
                "accounts": [
                    {
                        "number": account.number,
                        "health_id": account.health_id,
                        "email": account.email,
                        "linked": account.linked,
                        "story": account.profile.story.value,
                        "device": account.profile.model.name,
                        "time_zone": account.profile.zone.key,
                        "connected": account.number in self._state.grants,
                        "revocations": self._state.generation.get(account.number, 0),
                        "denied": account.number in self._state.denied,
                    }
                    for account in self._ground_truth.accounts
                ]
            }
        )

    def _clock(self) -> dict[str, Any]:
        return {"now": stamp(self._state.now()), "speed": self._state.speed}

    # --- doing -------------------------------------------------------------------------------------------------

    def _set_clock(self, body: dict[str, Any]) -> dict[str, Any]:
        at = _time(body, "set") if "set" in body else self._state.now()
        at += int(float(body.get("advance", 0)) * MICROSECOND)
        self._state.set_clock(at, float(body["speed"]) if "speed" in body else None)
        return self._clock()

    def _change(self, body: dict[str, Any], kind: str) -> dict[str, Any]:
        low, high = _time(body, "start"), _time(body, "end")
        subscribers_told = self._events.change(
            self._account(body),
            _type(body),
            low,
            high,
            kind=kind,
            delta=float(body.get("delta", 3)),
            tell=bool(body.get("tell", True)),
        )
        return {"told": subscribers_told}

    def _late(self, body: dict[str, Any]) -> dict[str, Any]:
        account = self._account(body)
        hold(self._state, account, held=bool(body.get("held", True)))
        return {"uploaded_until": self._ground_truth.uploaded_until(account)}

    def _revoke(self, body: dict[str, Any]) -> dict[str, Any]:
        self._state.record("revoke", number=self._account(body).number)
        return {}

    def _expire(self, body: dict[str, Any]) -> dict[str, Any]:
        self._state.record("expire", number=self._account(body).number, before=time.time())
        return {}

    def _deny(self, body: dict[str, Any]) -> dict[str, Any]:
        self._state.record("deny", number=self._account(body).number, denied=bool(body.get("denied", True)))
        return {}

    def _disturb(self, body: dict[str, Any]) -> dict[str, Any]:
        number, disturbed = self._account(body).number, bool(body.get("disturbed", True))
        if disturbed != (number in self._state.disturbed):
            self._state.record("disturb", number=number, disturbed=disturbed)
        return {}

    def _faults(self, body: dict[str, Any]) -> dict[str, Any]:
        name = str(body.get("profile"))
        if name not in PROFILES:
            raise invalid(None, f"profile is one of {', '.join(PROFILES)}.")
        self._statistics.faults.choose(name)
        return {"profile": name}

    def _tokens(self, body: dict[str, Any]) -> dict[str, Any]:
        """Tokens of an account without the consent screen, as if its owner had consented."""
        scopes = body.get("scopes") or [SCOPES[letter] for letter in "AHSPT"]
        account = self._account(body)
        return {"health_id": account.health_id, **self._oauth.granted(account, [str(scope) for scope in scopes])}

    def _account(self, parameters: dict[str, Any]) -> Account:
        try:
            return self._ground_truth.accounts.find(str(parameters.get("user", "")))
        except KeyError as error:
            raise invalid(None, "user: a number, health id or e-mail of an account of this simulator.") from error


def _time(parameters: dict[str, Any], name: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(str(parameters.get(name)))
    except ValueError as error:
        raise invalid(None, f"{name}: an instant, such as 2026-11-20T00:00:00Z.") from error
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))


def _type(parameters: dict[str, Any]) -> DataType:
    data_type = TYPES.get(str(parameters.get("type")))
    if data_type is None:
        raise invalid(None, "type: the id of a data type, such as heart-rate.")
    return data_type
