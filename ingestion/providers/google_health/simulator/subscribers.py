"""Subscriber administration under /v4/projects/{number}/subscribers, for a service account's token."""

from __future__ import annotations

import re
import time
from typing import Any

from ingestion.providers.google_health.simulator.accounts import Accounts
from ingestion.providers.google_health.simulator.errors import GoogleError, invalid
from ingestion.providers.google_health.simulator.messages import Request, Response, json_response, refusal
from ingestion.providers.google_health.simulator.oauth import OAuth
from ingestion.providers.google_health.simulator.records import stamp
from ingestion.providers.google_health.simulator.state import State
from ingestion.providers.google_health.simulator.types import CLOUD_PLATFORM, TYPES
from ingestion.providers.google_health.simulator.webhooks import Webhooks
from metrics.batch import MICROSECOND

_PATH = re.compile(r"^/v4/projects/([^/]+)/subscribers(?:/([^/]+))?(/subscriptions(?:/([^/]+))?)?$")
_ID = re.compile(r"^[a-z][a-z0-9-]{3,35}$")
_MASKS = {"endpoint_uri": "endpointUri", "subscriber_configs": "subscriberConfigs",
          "endpoint_authorization": "endpointAuthorization"}  # fmt: skip


class Subscribers:
    def __init__(self, accounts: Accounts, state: State, oauth: OAuth, webhooks: Webhooks) -> None:
        self._accounts = accounts
        self._state = state
        self._oauth = oauth
        self._webhooks = webhooks

    def handle(self, request: Request) -> Response:
        try:
            bearer = self._oauth.bearer(request)
            if bearer.account is not None or CLOUD_PLATFORM not in bearer.scopes:
                raise GoogleError(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "Use a service account's token.")
            match = _PATH.match(request.path)
            if match is None:
                raise GoogleError(404, None, "Requested entity was not found.")
            project, name, below, sid = match.groups()
            if not project.isdecimal():
                raise invalid(None, "The project's number is needed here, not its id.")
            content = self._routed(request, f"projects/{project}/subscribers", name, below, sid)
            return json_response(content, pretty=True)
        except GoogleError as error:
            return refusal(error)

    def _routed(
        self, request: Request, parent: str, name: str | None, below: str | None, sid: str | None
    ) -> dict[str, Any]:
        method = request.method
        if name is None:
            if method == "POST":
                return self._create(request, parent)
            if method == "GET":
                return self._all(request, parent)
        elif not below:
            if method == "PATCH":
                return self._patch(request, f"{parent}/{name}")
            if method == "DELETE":
                return self._delete(request, f"{parent}/{name}")
        else:
            return self._subscription(request, f"{parent}/{name}", sid)
        raise GoogleError(404, None, "Method not found.")

    # --- subscribers -------------------------------------------------------------------------------------------

    def _create(self, request: Request, parent: str) -> dict[str, Any]:
        identity = request.query.get("subscriberId") or request.query.get("subscriber_id", "")
        if not _ID.match(identity):
            raise invalid(None, "Invalid subscriber id.")
        name = f"{parent}/{identity}"
        if name in self._state.subscribers:
            raise GoogleError(409, None, "The subscriber exists already.")
        body = request.json()
        value = {
            "endpointUri": body.get("endpointUri", ""),
            "subscriberConfigs": _configs(body.get("subscriberConfigs", [])),
            "secret": (body.get("endpointAuthorization") or {}).get("secret", ""),
            "subscriptions": {},
            "createTime": _now(),
        }
        return self._verified(name, value)

    def _verified(self, name: str, value: dict[str, Any]) -> dict[str, Any]:
        wrong = self._webhooks.verify(value["endpointUri"], value["secret"])
        if wrong:
            raise GoogleError(400, None, wrong, status="FAILED_PRECONDITION")
        return self._stored(name, {**value, "state": "ACTIVE"})

    def _stored(self, name: str, value: dict[str, Any]) -> dict[str, Any]:
        value = {**value, "updateTime": _now()}
        self._state.record("subscriber", id=name, value=value)
        return self._operation(_shown(name, value))

    def _operation(self, response: dict[str, Any]) -> dict[str, Any]:
        return {"name": f"operations/{self._state.next_id()}", "done": True, "response": response}

    def _all(self, request: Request, parent: str) -> dict[str, Any]:
        subscribers = [_shown(name, v) for name, v in self._state.subscribers.items() if name.startswith(parent + "/")]
        size = request.query.get("pageSize", "50")
        token = request.query.get("pageToken", "") or "0"
        if not size.isdecimal() or not token.isdecimal():
            raise invalid(None, "Invalid page.")
        first, last = int(token), int(token) + min(int(size) or 50, 1000)
        content: dict[str, Any] = (
            {"subscribers": subscribers[first:last], "totalSize": len(subscribers)} if subscribers else {}
        )
        return content | ({"nextPageToken": str(last)} if last < len(subscribers) else {})

    def _known(self, name: str) -> dict[str, Any]:
        subscriber = self._state.subscribers.get(name)
        if subscriber is None:
            raise GoogleError(404, "RESOURCE_NOT_FOUND", "Requested entity was not found.")
        return subscriber

    def _patch(self, request: Request, name: str) -> dict[str, Any]:
        value, body = dict(self._known(name)), request.json()
        mask = [m for m in request.query.get("updateMask", request.query.get("update_mask", "")).split(",") if m]
        fields = {_MASKS.get(name_or_alias, name_or_alias) for name_or_alias in mask or body}
        if unknown := fields - set(_MASKS.values()):
            raise invalid(None, f"Invalid update mask: {', '.join(sorted(unknown))}")
        if "subscriberConfigs" in fields:
            value["subscriberConfigs"] = _configs(body.get("subscriberConfigs", []))
        if "endpointUri" in fields:
            value["endpointUri"] = body.get("endpointUri", "")
        if "endpointAuthorization" in fields:
            value["secret"] = (body.get("endpointAuthorization") or {}).get("secret", "")
        if fields & {"endpointUri", "endpointAuthorization"}:
            return self._verified(name, value)
        return self._stored(name, value)

    def _delete(self, request: Request, name: str) -> dict[str, Any]:
        value = self._known(name)
        if value["subscriptions"] and request.query.get("force") != "true":
            raise GoogleError(400, None, "The subscriber has subscriptions; use force.", status="FAILED_PRECONDITION")
        self._state.record("subscriber", id=name, value=None)
        return self._operation({})

    # --- subscriptions of users --------------------------------------------------------------------------------

    def _subscription(self, request: Request, name: str, sid: str | None) -> dict[str, Any]:
        value = self._known(name)
        subscriptions: dict[str, Any] = dict(value["subscriptions"])
        method, body = request.method, request.json()
        if method == "GET" and sid is None:
            shown = [
                {"name": f"{name}/subscriptions/{key}", **subscription} for key, subscription in subscriptions.items()
            ]
            kept = [subscription for subscription in shown if _fits(subscription, request.query.get("filter", ""))]
            return {"subscriptions": kept} if kept else {}
        if method == "POST" and sid is None:
            sid = request.query.get("subscriptionId") or f"sub{self._state.next_id()}"
            if sid in subscriptions:
                raise GoogleError(409, None, "The subscription exists already.")
            subscriptions[sid] = {"user": self._user(body), "dataTypes": _data_types(body)}
        elif sid is None or sid not in subscriptions:
            raise GoogleError(404, "RESOURCE_NOT_FOUND", "Requested entity was not found.")
        elif method == "PATCH":
            subscriptions[sid] = {**subscriptions[sid], "dataTypes": _data_types(body)}
        elif method == "DELETE":
            del subscriptions[sid]
        else:
            raise GoogleError(404, None, "Method not found.")
        self._state.record("subscriber", id=name, value={**value, "subscriptions": subscriptions})
        return {"name": f"{name}/subscriptions/{sid}", **subscriptions[sid]} if sid in subscriptions else {}

    def _user(self, body: dict[str, Any]) -> str:
        user = str(body.get("user", ""))
        try:
            account = self._accounts.find(user.removeprefix("users/"))
        except KeyError as error:
            raise invalid(None, "Invalid user.") from error
        return f"users/{account.health_id}"


def _now() -> str:
    return stamp(int(time.time()) * MICROSECOND)


def _data_types(body: dict[str, Any]) -> list[str]:
    names = [str(name) for name in body.get("dataTypes", [])]
    for name in names:
        if name not in TYPES or not TYPES[name].announced:
            raise invalid("INVALID_DATA_TYPE", f"Data type {name} has no notifications.")
    return names


def _configs(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"dataTypes": _data_types(c), "subscriptionCreatePolicy": c.get("subscriptionCreatePolicy", "MANUAL")}
        for c in configs
    ]


def _shown(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Subscriber as it is read: never with its secret."""
    kept = ("endpointUri", "subscriberConfigs", "state", "createTime", "updateTime")
    authorization = {"endpointAuthorization": {"secretSet": True}} if value["secret"] else {}
    return {"name": name, **{key: value[key] for key in kept if value.get(key)}, **authorization}


def _fits(subscription: dict[str, Any], text: str) -> bool:
    conditions = dict(re.findall(r'(user|data_type)\s*=\s*"([^"]*)"', text))
    return conditions.get("user", subscription["user"]) == subscription["user"] and (
        "data_type" not in conditions or conditions["data_type"] in subscription["dataTypes"]
    )
