"""Server of the simulator: what handles which path, and the socket."""

from __future__ import annotations

import datetime as dt
import gzip
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ingestion.providers.google_health.simulator.accounts import Accounts
from ingestion.providers.google_health.simulator.api import Api
from ingestion.providers.google_health.simulator.control import Control
from ingestion.providers.google_health.simulator.errors import GoogleError
from ingestion.providers.google_health.simulator.events import Events
from ingestion.providers.google_health.simulator.faults import Faults, Quota
from ingestion.providers.google_health.simulator.ground_truth import GroundTruth
from ingestion.providers.google_health.simulator.messages import Request, Response, json_response, refusal
from ingestion.providers.google_health.simulator.oauth import Client, OAuth
from ingestion.providers.google_health.simulator.state import State
from ingestion.providers.google_health.simulator.statistics import Statistics
from ingestion.providers.google_health.simulator.subscribers import Subscribers
from ingestion.providers.google_health.simulator.webhooks import Webhooks
from metrics.batch import instant, microseconds

SMALLEST_TO_COMPRESS = 1024
LARGEST_REQUEST = 10_000_000
KEYSETS = ("/webhooks_public_keyset.json", "/googlehealthapi/webhooks/webhooks_public_keyset.json")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a run. `clock` None: the real time; `history_days`: how long ago everybody got their device.

    `state` None: nothing survives a restart but the tokens. Limits are requests a minute, 0 for none.
    """

    participants: int = 24
    seed: int = 7
    faults: str = "none"
    host: str = "127.0.0.1"
    port: int = 8099
    clock: dt.datetime | None = None
    speed: float = 1.0
    history_days: int = 90
    all_well: bool = False
    state: Path | None = None
    client: Client = field(default_factory=lambda: Client("sim-client", "sim-secret"))
    user_limit: int = 300
    project_limit: int = 120_000
    numeric_users: bool = False
    days_kept: int = 200


class OtherSimulation(Exception):
    """Refusal of a folder that holds the state of another simulation; the message says which."""


class Simulator:
    """Simulator without the socket: `handle` answers a request. `start` and `close` frame its threads."""

    def __init__(self, options: Options) -> None:
        self.state = State(options.state)
        starts_on = self._starts_on(options)
        self.accounts = Accounts(
            seed=options.seed, participants=options.participants, starts_on=starts_on, all_well=options.all_well
        )
        self.ground_truth = GroundTruth(self.accounts, self.state, days_kept=options.days_kept)
        self.faults = Faults(options.faults, options.seed)
        self.oauth = OAuth(self.accounts, self.state, self.faults, options.client)
        self.webhooks = Webhooks(self.state, self.faults, options.seed)
        self.events = Events(self.ground_truth, self.state, self.faults, self.webhooks)
        self.statistics = Statistics(self.faults, self.oauth, self.webhooks)
        quota = Quota(user_limit=options.user_limit, project_limit=options.project_limit)
        self._api = Api(self.ground_truth, self.oauth, self.faults, quota, numeric_users=options.numeric_users)
        self._subscribers = Subscribers(self.accounts, self.state, self.oauth, self.webhooks)
        self._control = Control(self.ground_truth, self.oauth, self.events, self.statistics)

    def _starts_on(self, options: Options) -> dt.date:
        """First day of all accounts, from the state where there is one. Raises OtherSimulation if it does not fit."""
        requested = {"seed": options.seed, "participants": options.participants, "all_well": options.all_well}
        known = self.state.settings
        if known:
            other = {name: known[name] for name in requested}
            if other != requested:
                self.state.close()
                raise OtherSimulation(f"The folder holds another simulation: {other}. Choose another folder.")
            return dt.date.fromisoformat(known["starts_on"])
        if options.clock is not None or options.speed != 1.0:
            at = options.clock or dt.datetime.now(dt.UTC)
            self.state.set_clock(microseconds(at), options.speed)
        starts_on = instant(self.state.now()).date() - dt.timedelta(days=options.history_days)
        self.state.record("settings", values={**requested, "starts_on": starts_on.isoformat()})
        return starts_on

    def start(self) -> None:
        self.webhooks.start()
        self.events.start()

    def close(self) -> None:
        self.events.close()
        self.webhooks.close()
        self.state.close()

    def handle(self, request: Request) -> tuple[str, Response]:
        """Kind of the request, and the response to it."""
        kind = _kind(request.path)
        if kind == "data":
            return kind, self._api.handle(request)
        if kind == "subscribers":
            return kind, self._subscribers.handle(request)
        if kind == "control":
            return kind, self._control.handle(request)
        return kind, self._others(request)

    def _others(self, request: Request) -> Response:
        routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/o/oauth2/v2/auth"): self.oauth.authorize,
            ("POST", "/o/oauth2/v2/auth"): self.oauth.decide,
            ("POST", "/token"): self.oauth.token,
            ("POST", "/revoke"): self.oauth.revoke,
            ("GET", "/userinfo"): self.oauth.userinfo,
            ("GET", "/oauth2/v3/userinfo"): self.oauth.userinfo,
            **dict.fromkeys([("GET", path) for path in KEYSETS], self._keyset),
        }
        route = routes.get((request.method, request.path))
        try:
            if route is None:
                raise GoogleError(404, None, "The requested URL was not found on this server.")
            return route(request)
        except GoogleError as error:
            return refusal(error)

    def _keyset(self, _: Request) -> Response:
        return json_response(self.webhooks.key.keyset())


def _kind(path: str) -> str:
    for start, kind in (("/v4/users/", "data"), ("/v4/projects/", "subscribers"), ("/_sim/", "control")):
        if path.startswith(start):
            return kind
    return "oauth"


class _Handler(BaseHTTPRequestHandler):
    """Connection, kept open between requests. Nothing is logged: addresses carry user ids."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 75  # seconds a quiet connection is kept
    simulator: Simulator

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_REQUEST or "Transfer-Encoding" in self.headers:
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        url = urlsplit(self.path)
        request = Request(
            self.command,
            unquote(url.path),
            dict(parse_qsl(url.query, keep_blank_values=True)),
            self.headers,  # type: ignore[arg-type]  # a Message is a Mapping in all but name
            body,
            str(self.client_address[0]),
        )
        kind, response = self.simulator.handle(request)
        if response.delay:
            time.sleep(response.delay)
        self._send(kind, response)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - names that http.server looks for

    def _send(self, kind: str, response: Response) -> None:
        body = response.body
        headers = dict(response.headers)
        if len(body) >= SMALLEST_TO_COMPRESS and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        self.simulator.statistics.count(
            kind, response.status, points=response.points, plain=len(response.body), sent=len(body)
        )
        head = [f"HTTP/1.1 {response.status} {self.responses.get(response.status, ('',))[0]}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        head += [f"Content-Length: {len(body)}", "", ""]
        if response.cut:
            body = body[: len(body) // 2]
            self.close_connection = True
        try:
            self.wfile.write("\r\n".join(head).encode("latin-1") + body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the caller has gone away, which is its own affair


class Server(ThreadingHTTPServer):
    """Socket of the simulator. `port` 0 takes any free one; `address` says which it became."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, simulator: Simulator, host: str, port: int) -> None:
        handler = type("Handler", (_Handler,), {"simulator": simulator})
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), handler)

    @property
    def address(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a connection that breaks; anything else is shown as usual."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
