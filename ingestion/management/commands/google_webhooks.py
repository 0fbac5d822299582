"""`manage.py google_webhooks create|list|delete`: tell Google where to send its notices of new data."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from ingestion.providers.google_health.client import GoogleHealth
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.data_types import DATA_TYPES

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Command(BaseCommand):
    help = (
        "Set up, show or remove the project's subscriber. It needs a service account of the Google Cloud project: "
        "its JSON key (--key), or an access token of the scope cloud-platform in a file (--token-file). With "
        "GOOGLE_SIMULATOR_URL set, neither."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=("create", "list", "delete"))
        parser.add_argument("--project", default="1", help="the project's number (its id is refused)")
        parser.add_argument("--subscriber", default="wearable-trials", metavar="ID")
        parser.add_argument("--key", type=Path, help="JSON key of a service account")
        parser.add_argument("--token-file", type=Path, help="file with an access token")

    def handle(self, *args: Any, **options: Any) -> None:
        simulator = settings.GOOGLE_SIMULATOR_URL
        api = simulator or GoogleConfig(client_id="", client_secret="").api_url
        if not simulator and not options["project"].isdecimal():
            raise CommandError("--project is the project's number, which its dashboard shows; its id is refused.")
        with httpx.Client(timeout=60) as http:
            http.headers["Authorization"] = f"Bearer {self._token(http, options)}"
            address = f"{api}/v4/projects/{options['project']}/subscribers"
            action = {"create": self._create, "list": self._list, "delete": self._delete}[options["action"]]
            try:
                action(http, address, options["subscriber"])
            except httpx.HTTPError as error:
                raise CommandError(f"No answer: {type(error).__name__}.") from None

    # --- what can be done --------------------------------------------------------------------------------------

    def _create(self, http: httpx.Client, address: str, name: str) -> None:
        """Make the subscriber, or update the one there is. Google calls our address at once, twice."""
        if not settings.WEBHOOK_SECRET:
            raise CommandError("WEBHOOK_SECRET is not set: give it a long random value, here and for the web server.")
        body = {
            "endpointUri": settings.PUBLIC_URL + reverse("ingestion:webhook", args=[GoogleHealth.slug]),
            "subscriberConfigs": [
                {
                    "dataTypes": [data_type.code for data_type in DATA_TYPES.values() if data_type.announced],
                    "subscriptionCreatePolicy": "AUTOMATIC",
                }
            ],
            "endpointAuthorization": {"secret": settings.WEBHOOK_SECRET},
        }
        response = http.post(address, params={"subscriberId": name}, json=body)
        if response.status_code == httpx.codes.CONFLICT:
            mask = "endpointUri,subscriberConfigs,endpointAuthorization"
            response = http.patch(f"{address}/{name}", params={"updateMask": mask}, json=body)
        created = _json(response)
        if error := created.get("error"):
            raise CommandError(f"Refused: {error.get('message', error)}")
        self.stdout.write(self.style.SUCCESS(f"{name} tells {body['endpointUri']} of new data."))

    def _list(self, http: httpx.Client, address: str, _: str) -> None:
        subscribers = _json(http.get(address, params={"pageSize": "1000"})).get("subscribers", [])
        for subscriber in subscribers:
            secret = "with" if subscriber.get("endpointAuthorization", {}).get("secretSet") else "without"
            types = sum(len(part.get("dataTypes", [])) for part in subscriber.get("subscriberConfigs", []))
            state = subscriber.get("state", "of unknown state")
            name = subscriber["name"].rpartition("/")[2]
            self.stdout.write(f"{name}: {state}, {subscriber.get('endpointUri')}, {types} data types, {secret} secret")
        if not subscribers:
            self.stdout.write("No subscriber: data come with the regular passes only.")

    def _delete(self, http: httpx.Client, address: str, name: str) -> None:
        _json(http.delete(f"{address}/{name}", params={"force": "true"}))
        self.stdout.write(f"{name} is gone.")

    # --- who we are --------------------------------------------------------------------------------------------

    def _token(self, http: httpx.Client, options: dict[str, Any]) -> str:
        if options["token_file"]:
            return _read(options["token_file"]).strip()
        if settings.GOOGLE_SIMULATOR_URL:
            form = {"grant_type": ASSERTION, "assertion": "simulated"}
            return str(_json(http.post(f"{settings.GOOGLE_SIMULATOR_URL}/token", data=form))["access_token"])
        if not options["key"]:
            raise CommandError("Give the service account's JSON key with --key, or a token with --token-file.")
        try:
            account = json.loads(_read(options["key"]))
            form = {"grant_type": ASSERTION, "assertion": signed_claim(account, int(time.time()))}
        except (ValueError, KeyError, TypeError):
            raise CommandError(f"{options['key']} is no JSON key of a service account.") from None
        return str(_json(http.post(account["token_uri"], data=form))["access_token"])


def signed_claim(account: dict[str, str], now: int) -> str:
    """JSON Web Token with which a service account requests an access token (RFC 7523), good for some minutes.

    Raises KeyError, ValueError or TypeError where `account` is no key.
    """
    key = serialization.load_pem_private_key(account["private_key"].encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA key")
    head = {"alg": "RS256", "typ": "JWT", "kid": account["private_key_id"]}
    claim = {
        "iss": account["client_email"],
        "scope": SCOPE,
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + 600,
    }
    text = ".".join(_base64(json.dumps(part).encode()) for part in (head, claim))
    return f"{text}.{_base64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None


def _json(response: httpx.Response) -> dict[str, Any]:
    """JSON of a success. Raises CommandError with Google's own message: it is about our project, not a participant."""
    try:
        content = response.json()
    except ValueError:
        content = {}
    if response.is_success and isinstance(content, dict):
        return content
    error = content.get("error") if isinstance(content, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    raise CommandError(f"Refused with {response.status_code}: {message or 'no reason given'}")
