"""Webhook subscribers of the project at Google: who is notified of new data. For the operator's set-up, not for
syncing.

Google lets a service account of the project manage them, never a participant's token. At creation, and when address
or secret change, Google calls the address at once to verify it: it must be up.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import httpx
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Raw, Struct

from ingestion.providers.base.errors import AccessGone, BrokenResponse, ClientMisconfigured, VendorError
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.errors import api_error
from ingestion.providers.google_health.listing import NOTHING, ListDecoder, decoded
from ingestion.providers.google_health.oauth import OAuth
from ingestion.providers.google_health.transport import Transport

# Never to be mixed with the scopes of participants in one token.
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LIFE = dt.timedelta(hours=1)
SUBSCRIBER_ID = re.compile(r"[a-z][a-z0-9-]{2,34}[a-z0-9]")
# Google's own term for "everyone who consents, without a subscription each".
EVERYONE = "AUTOMATIC"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Service account as which the project acts, from the key file that Google's console hands out."""

    email: str
    key: RSAPrivateKey = field(repr=False)

    @classmethod
    def read(cls, key_file: bytes) -> ServiceAccount:
        """Read a key file. Raises ClientMisconfigured where it is no service account's key."""
        try:
            key_data = msgspec.json.decode(key_file, type=_KeyFile)
            key = load_pem_private_key(key_data.private_key.encode(), password=None)
        except (msgspec.MsgspecError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ClientMisconfigured("no_service_account_key") from error
        if not isinstance(key, RSAPrivateKey):
            raise ClientMisconfigured("no_service_account_key")
        return cls(key_data.client_email, key)

    def assertion(self, audience: str, now: dt.datetime) -> str:
        """Signed JSON Web Token (RS256) that requests an access token."""
        claims = {
            "iss": self.email,
            "scope": SCOPE,
            "aud": audience,
            "iat": int(now.timestamp()),
            "exp": int((now + LIFE).timestamp()),
        }
        parts = [_base64url(msgspec.json.encode(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
        signed = ".".join(parts)
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64url(signature)}"


class _KeyFile(Struct):
    client_email: str
    private_key: str


class _SubscriberConfig(Struct):
    dataTypes: list[str] = []  # noqa: N815  Google's spelling, here and below


class _Subscriber(Struct):
    name: str
    endpointUri: str = ""  # noqa: N815
    state: str = ""
    subscriberConfigs: list[_SubscriberConfig] = []  # noqa: N815


class _Operation(Struct):
    name: str
    done: bool = False
    error: Raw = NOTHING


_SUBSCRIBERS = ListDecoder("subscribers", _Subscriber)
_OPERATION = msgspec.json.Decoder(_Operation)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Address that Google notifies of new data. `state`: UNVERIFIED, ACTIVE, INACTIVE (given up on)."""

    id: str
    endpoint: str
    state: str
    data_types: frozenset[str]


class Subscribers:
    """Subscribers of one project, by its number (its id is refused). `clock` tells the present, aware."""

    def __init__(
        self,
        config: GoogleConfig,
        transport: Transport,
        account: ServiceAccount,
        project_number: str,
        clock: Callable[[], dt.datetime],
    ) -> None:
        if not project_number.isdecimal():
            raise ClientMisconfigured("project_number_is_no_number")
        self._config = config
        self._transport = transport
        self._account = account
        self._clock = clock
        self._oauth = OAuth(config, transport, clock)
        self._url = f"{config.api_url}/v4/projects/{project_number}/subscribers"
        self._token = ""

    def all(self) -> list[Subscriber]:
        subscribers: list[Subscriber] = []
        parameters: dict[str, str] = {}
        while True:
            page = _SUBSCRIBERS.read(self._request("GET", self._url, params=parameters))
            subscribers += [_subscriber(subscriber) for subscriber in page.records]
            if not page.token:
                return subscribers
            if parameters.get("pageToken") == page.token:
                raise BrokenResponse("endless_pages")
            parameters = {"pageToken": page.token}

    def ensure(self, subscriber_id: str, endpoint: str, secret: str, data_types: Iterable[str]) -> bool:
        """Make the subscriber so, or change it to be so; Google verifies the address. True if it was made.

        Raises ClientMisconfigured for an id that Google does not take (4 to 36 small letters, digits and hyphens).
        """
        if not SUBSCRIBER_ID.fullmatch(subscriber_id):
            raise ClientMisconfigured("invalid_subscriber_id")
        body = {
            "endpointUri": endpoint,
            "subscriberConfigs": [{"dataTypes": sorted(data_types), "subscriptionCreatePolicy": EVERYONE}],
            "endpointAuthorization": {"secret": secret},
        }
        if any(known.id == subscriber_id for known in self.all()):
            mask = "endpoint_uri,subscriber_configs,endpoint_authorization"
            self._operate("PATCH", f"{self._url}/{subscriber_id}", params={"updateMask": mask}, json=body)
            return False
        self._operate("POST", self._url, params={"subscriberId": subscriber_id}, json=body)
        return True

    def remove(self, subscriber_id: str) -> None:
        self._operate("DELETE", f"{self._url}/{subscriber_id}", params={"force": "true"})

    def _operate(self, method: str, url: str, **content: object) -> None:
        """Run an operation. Raises BrokenResponse where it failed, or goes on after the response: see `all` then."""
        operation = decoded(_OPERATION, self._request(method, url, **content))
        if operation.error:
            raise BrokenResponse("operation_failed")
        if not operation.done:
            raise BrokenResponse("operation_pending")

    def _request(self, method: str, url: str, **content: object) -> bytes:
        if not self._token:
            self._token = self._oauth.token_of_service(self._account.assertion(self._config.token_url, self._clock()))
        request = self._transport.request(method, url, headers={"Authorization": f"Bearer {self._token}"}, **content)
        response = self._transport.send(request, once=method != "GET")
        if response.status_code != httpx.codes.OK:
            raise _ours(api_error(response, self._clock()))
        return response.content


def _ours(error: VendorError) -> VendorError:
    """Error of our project's set-up in place of a lost access: no participant is in play here."""
    return ClientMisconfigured(error.code) if isinstance(error, AccessGone) else error


def _subscriber(subscriber: _Subscriber) -> Subscriber:
    data_types = frozenset(name for config in subscriber.subscriberConfigs for name in config.dataTypes)
    return Subscriber(subscriber.name.rpartition("/")[2], subscriber.endpointUri, subscriber.state, data_types)


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
