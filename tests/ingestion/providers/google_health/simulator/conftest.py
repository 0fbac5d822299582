"""A simulator to talk to: without a socket for most tests, behind a real one where HTTP itself is meant."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email.message import Message
from typing import Any
from urllib.parse import urlencode

import pytest

from ingestion.providers.google_health.simulator.faults import Profile
from ingestion.providers.google_health.simulator.messages import Request, Response
from ingestion.providers.google_health.simulator.server import Options, Server, Simulator

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
OPTIONS = Options(participants=30, seed=7, clock=NOON, speed=0.0, user_limit=0, project_limit=0)


@dataclass
class Google:
    """The simulator as its callers see it, one call a request."""

    simulator: Simulator

    def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None,
             form: dict[str, str] | None = None, query: dict[str, str] | None = None,) -> Response:  # fmt: skip
        message = Message()
        for name, value in (headers or {}).items():
            message[name] = value
        sent = urlencode(form).encode() if form is not None else b"" if body is None else json.dumps(body).encode()
        return self.simulator.handle(Request(method, path, query or {}, message, sent))[1]  # type: ignore[arg-type]

    def tokens(self, user: int = 4, scopes: list[str] | None = None) -> dict[str, Any]:
        said: dict[str, Any] = self.control("tokens", {"user": str(user), "scopes": scopes})
        return said

    def control(self, name: str, body: dict[str, Any] | None = None, **query: str) -> Any:
        method = "GET" if body is None else "POST"
        response = self.call(method, f"/_sim/{name}", body=body, query=query)
        assert response.status == 200, response.body
        return json.loads(response.body)

    def ask(self, path: str, *, user: int = 4, method: str = "GET", body: Any = None, token: str | None = None,
            **query: str) -> Response:  # fmt: skip
        token = token or str(self.tokens(user)["access_token"])
        return self.call(
            method, f"/v4/users/me/{path}", headers={"Authorization": f"Bearer {token}"}, body=body, query=query
        )

    def points(self, data_type: str, verb: str = "", *, user: int = 4, **query: str) -> dict[str, Any]:
        response = self.ask(f"dataTypes/{data_type}/dataPoints{verb}", user=user, **query)
        assert response.status == 200, response.body
        said: dict[str, Any] = json.loads(response.body)
        return said

    def rollup(self, data_type: str, verb: str, body: dict[str, Any], *, user: int = 4) -> Response:
        return self.ask(f"dataTypes/{data_type}/dataPoints:{verb}", user=user, method="POST", body=body)

    def faulty(self, **changes: Any) -> None:
        self.simulator.faults.profile = replace(Profile(), **changes)


def span(member: str, start: str, end: str) -> str:
    return f'{member} >= "{start}" AND {member} < "{end}"'


def reason(response: Response) -> str:
    error = json.loads(response.body)["error"]
    assert error["code"] == response.status
    return str(error["details"][0]["reason"])


MakeGoogle = Callable[..., Google]


@pytest.fixture
def make_google() -> Iterator[MakeGoogle]:
    made: list[Simulator] = []

    def make(**changes: Any) -> Google:
        made.append(Simulator(replace(OPTIONS, **changes)))
        return Google(made[-1])

    yield make
    for simulator in made:
        simulator.close()


@pytest.fixture
def google(make_google: MakeGoogle) -> Google:
    return make_google()


@pytest.fixture
def address(google: Google) -> Iterator[str]:
    """The address of `google` behind a real socket."""
    server = Server(google.simulator, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.address
    server.shutdown()
    thread.join()
    server.server_close()
