"""v4 API under /v4/users: who may ask, what is requested, and the pages of points. As strict as Google's own."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingestion.providers.google_health.simulator import pages, resources, rollups
from ingestion.providers.google_health.simulator.accounts import Account
from ingestion.providers.google_health.simulator.errors import GoogleError, invalid
from ingestion.providers.google_health.simulator.faults import Disguised, Faults, Quota
from ingestion.providers.google_health.simulator.filters import LATEST, Window, mask, masked, window
from ingestion.providers.google_health.simulator.ground_truth import FAMILIES, GroundTruth, has_columns, reconciled
from ingestion.providers.google_health.simulator.messages import JSON_TYPE, Request, Response, json_response, refusal
from ingestion.providers.google_health.simulator.oauth import Bearer, OAuth
from ingestion.providers.google_health.simulator.tokens import Signer
from ingestion.providers.google_health.simulator.types import (
    ACTIONS,
    CLOUD_PLATFORM,
    SCOPE_PREFIX,
    SCOPES,
    TYPES,
    DataType,
)

_PATH = re.compile(
    r"^/v4/users/(?P<user>[^/]+)/(?:dataTypes/(?P<type>[^/]+)/dataPoints(?:/(?P<id>[^/:]+))?(?::(?P<verb>\w+))?"
    r"|(?P<resource>identity|profile|settings|pairedDevices)(?:/(?P<device>[^/]+))?)$"
)
_PAGE = "page/"  # prefix of page tokens
_CAMEL = {"page_size": "pageSize", "page_token": "pageToken", "data_source_family": "dataSourceFamily",
          "pretty_print": "prettyPrint", "quota_user": "quotaUser"}  # fmt: skip
_KNOWN = {"filter", "pageSize", "pageToken", "dataSourceFamily", "fields", "alt", "prettyPrint", "quotaUser", "key",
          "$.xgafv", "access_token", "callback", "partialData"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ApiCall:
    """Call for data, read and allowed."""

    account: Account
    type: DataType
    query: dict[str, str]
    action: str

    @property
    def pretty(self) -> bool:
        return self.query.get("prettyPrint", "true").lower() not in ("false", "0")

    @property
    def fields(self) -> str | None:
        return self.query.get("fields") or None

    def sources(self, family: str | None) -> frozenset[int]:
        """Sources of a family named in full. Raises GoogleError for any other name."""
        if not family:
            return FAMILIES["all-sources"]
        prefix, _, name = family.rpartition("/")
        if prefix != "users/me/dataSourceFamilies" or name not in FAMILIES:
            raise invalid("INVALID_DATA_POINT_DATA_SOURCE_FAMILY", f"Invalid data source family: {family}")
        if self.action == "L" and self.type.id == "sleep":
            raise invalid(None, "data_source_family is not supported for sleep; use reconcile.")
        return FAMILIES[name]


class Api:
    """v4 API. `numeric_users`: whether the numeric id may stand for `me`."""

    def __init__(
        self, ground_truth: GroundTruth, oauth: OAuth, faults: Faults, quota: Quota, *, numeric_users: bool = False
    ) -> None:
        self._ground_truth = ground_truth
        self._oauth = oauth
        self._faults = faults
        self._quota = quota
        self._numeric_users = numeric_users
        self._signer = Signer(ground_truth.accounts.seed)

    def handle(self, request: Request) -> Response:
        """Handle a request under /v4/users."""
        try:
            bearer = self._oauth.bearer(request)
            return self._faults.after(self._routed(request, bearer))
        except Disguised as error:
            return json_response(error.body(), 200, pretty=True)
        except GoogleError as error:
            return refusal(error)

    def _routed(self, request: Request, bearer: Bearer) -> Response:
        match = _PATH.match(request.path)
        if match is None:
            raise GoogleError(404, None, "Requested entity was not found.")
        account = self._admitted(bearer, match["user"])
        query = {_CAMEL.get(name, name): value for name, value in request.query.items()}
        if unknown := set(query) - _KNOWN:
            name = sorted(unknown)[0]
            raise invalid(None, f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.')
        if match["resource"]:
            if request.method != "GET":
                raise GoogleError(404, None, "Method not found.")
            self._faults.before(None)
            content = resources.resource(
                self._ground_truth, account, bearer.scopes, match["resource"], match["device"], query
            )
            return json_response(masked(content, mask(query.get("fields"))), pretty=True)
        if account.number in self._ground_truth.state.disturbed:
            raise GoogleError(500, "INTERNAL_ERROR", "Internal error encountered.")
        action = _action(request.method, match["id"], match["verb"])
        data_type = _known(match["type"])
        _allowed(data_type, action, bearer.scopes)
        call = ApiCall(account, data_type, query, action)
        handlers: dict[str, Callable[[], Response]] = {
            "L": lambda: self._list(call),
            "R": lambda: self._list(call),
            "U": lambda: self._rollup(call, request.json(), rollups.physical),
            "D": lambda: self._rollup(call, request.json(), rollups.daily),
            "G": lambda: self._get(call, match["id"]),
        }
        return handlers[action]()

    def _admitted(self, bearer: Bearer, user: str) -> Account:
        """Account that a request is about, once it is sure that the caller may ask."""
        account = bearer.account
        if account is None or (CLOUD_PLATFORM in bearer.scopes and len(bearer.scopes) > 1):
            raise GoogleError(403, "DISALLOWED_OAUTH_SCOPES", "The token carries scopes that may not be mixed.")
        self._quota.spend(account.number)
        if user != "me" and not (self._numeric_users and user == account.health_id):
            raise invalid(None, "Request contains an invalid argument.")
        if not any(scope.startswith(SCOPE_PREFIX) for scope in bearer.scopes):
            raise _unscoped("any health scope")
        if account.number in self._ground_truth.state.denied or self._faults.denies(account.number):
            raise GoogleError(403, "RESOURCE_PERMISSION_DENIED", "The caller does not have permission.")
        if not account.linked:
            raise GoogleError(
                400,
                "ACCOUNT_NOT_LINKED",
                "The account is not linked to Google Health.",
                status="FAILED_PRECONDITION",
            )
        return account

    # --- list and reconcile ------------------------------------------------------------------------------------

    def _list(self, call: ApiCall) -> Response:
        span = window(call.query.get("filter", ""), call.type)
        sources = call.sources(call.query.get("dataSourceFamily"))
        size = self._size(call)
        before, sent = self._position(call)
        self._faults.before(span.hours)
        if self._faults.strikes("empty_page"):
            # A page of nothing, whose token leads on from the same place.
            return self._page(call, b"", 0, self._token(call, LATEST if before is None else before, sent, empty=True))
        if has_columns(call.type):
            return self._columns(call, span, sources, size, before, sent)
        matching = self._ground_truth.records(call.account, call.type, span, sources=sources)
        skipped = sent if before is not None else 0
        chosen = matching[skipped : skipped + size]
        more = len(matching) > skipped + size
        rows = pages.record_rows(
            chosen, call.account, call.type, fields=call.fields, pretty=call.pretty, reconcile=call.action == "R"
        )
        token = self._token(call, chosen[-1].start, skipped + size) if more else None
        return self._page(call, rows, len(chosen), token)

    def _columns(
        self, call: ApiCall, span: Window, sources: frozenset[int], size: int, before: int | None, sent: int
    ) -> Response:
        """Page of a columnar type. The token says after which instant to go on and how many of it were sent."""
        most = size + sent
        if before is not None and not span.civil:
            span = Window(span.low, min(span.high, before + 1))
        newest = most if not span.civil else None
        points = self._ground_truth.columns(call.account, call.type.id, span, sources=sources, newest=newest)
        if points is None:
            return self._page(call, b"", 0, None)
        if call.action == "R":
            points = reconciled(points)
        end = len(points)
        if before is not None:
            end = int(np.searchsorted(points.time, before, side="right")) - sent
            if self._faults.profile.drops_ties:
                end = int(np.searchsorted(points.time, before, side="left"))
        start = max(0, end - size)
        chosen = points.take(np.arange(start, end)[::-1])
        token = None
        if start > 0:
            last = int(points.time[start])
            already = int(np.searchsorted(points.time, last, side="right")) - start
            token = self._token(call, last, already)
        rows = pages.rows(
            chosen, call.account, call.type, fields=call.fields, pretty=call.pretty, reconcile=call.action == "R"
        )
        return self._page(call, rows, len(chosen), token)

    def _page(self, call: ApiCall, rows: bytes, points: int, token: str | None) -> Response:
        body = pages.page(rows, token, fields=call.fields, pretty=call.pretty)
        return Response(200, body, dict(JSON_TYPE), points=points)

    def _size(self, call: ApiCall) -> int:
        default, largest = call.type.page_sizes
        text = call.query.get("pageSize", "0")
        if not re.fullmatch(r"-?\d{1,9}", text) or int(text) < 0:
            raise invalid("INVALID_PAGE_SIZE", f"Invalid page size: {text}")
        return min(int(text) or default, largest, self._faults.profile.page_cap)

    def _query_mark(self, call: ApiCall) -> str:
        parts = (call.account.number, call.type.id, call.action, call.query.get("filter", ""),
                 call.query.get("dataSourceFamily", ""))  # fmt: skip
        return base64.urlsafe_b64encode(hashlib.sha256(repr(parts).encode()).digest()[:9]).decode()

    def _token(self, call: ApiCall, last: int, sent: int, *, empty: bool = False) -> str:
        claims = {"q": self._query_mark(call), "t": last, "n": sent}
        if empty:
            # Another one each time: who sees a token twice may take it for a circle.
            claims["x"] = self._ground_truth.state.next_id()
        return self._signer.sign(_PAGE, claims).removeprefix(_PAGE)

    def _position(self, call: ApiCall) -> tuple[int | None, int]:
        """Position in a list: (instant of the last point sent, points sent of it); records count all that were sent."""
        token = call.query.get("pageToken")
        if not token:
            return None, 0
        claims = self._signer.open(_PAGE, _PAGE + token)
        if claims is None or claims["q"] != self._query_mark(call):
            raise invalid("INVALID_PAGE_TOKEN", "Invalid page token.")
        return claims["t"], claims["n"]

    # --- the rest ----------------------------------------------------------------------------------------------

    def _rollup(self, call: ApiCall, body: dict[str, Any], compute: rollups.Rollup) -> Response:
        sources = call.sources(body.get("dataSourceFamily"))
        span, points = compute(self._ground_truth, call.account, call.type, body, sources)
        self._faults.before(span)
        content = {"rollupDataPoints": points} if points else {}
        return json_response(masked(content, mask(call.fields)), pretty=call.pretty)

    def _get(self, call: ApiCall, identity: str) -> Response:
        self._faults.before(None)
        if identity.isdecimal() and len(identity) < 16:
            # Ids are instants, in seconds or milliseconds, so the day to look at is known.
            at = int(identity) * (1_000_000 if len(identity) < 12 else 1000)
            near = Window(at - 86_400_000_000, at + 86_400_000_000)
            for record in self._ground_truth.records(call.account, call.type, near):
                if record.id == identity:
                    point = pages.record_point(record, call.account, call.type)
                    return json_response(masked(point, mask(call.fields)), pretty=call.pretty)
        raise GoogleError(404, "RESOURCE_NOT_FOUND", "Requested entity was not found.")


def _action(method: str, identity: str | None, verb: str | None) -> str:
    shape = (method, bool(identity), verb)
    actions = {
        ("GET", False, None): "L",
        ("GET", False, "reconcile"): "R",
        ("POST", False, "rollUp"): "U",
        ("POST", False, "dailyRollUp"): "D",
        ("GET", True, None): "G",
    }
    if shape not in actions:
        raise GoogleError(404, None, "Method not found.")
    return actions[shape]


def _known(type_id: str) -> DataType:
    data_type = TYPES.get(type_id)
    if data_type is None:
        reason = "INVALID_PARENT_DATA_TYPE_COLLECTION"
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", type_id):
            reason += "_FORMAT"
        raise invalid(reason, f"Invalid data type collection: {type_id}")
    return data_type


def _allowed(data_type: DataType, action: str, scopes: frozenset[str]) -> None:
    if SCOPES[data_type.scope] not in scopes:
        raise _unscoped(data_type.id)
    if action not in data_type.actions:
        offered = ", ".join(ACTIONS[letter] for letter in data_type.actions if letter in "LRUD")
        verb = ACTIONS[action]
        raise invalid(
            "UNSUPPORTED_DATA_TYPE_ACTION",
            f"{verb[0].upper()}{verb[1:]} is not supported for data type {data_type.id}, "
            f"but the following actions are supported: {offered}",
            allowed_actions=offered,
        )


def _unscoped(what: str) -> GoogleError:
    return GoogleError(
        403,
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "Request had insufficient authentication scopes.",
        metadata={"service": "health.googleapis.com", "method": what},
    )
