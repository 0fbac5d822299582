"""Authentication of programs by token: `Authorization: Bearer wt_...`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from participants.models import ApiToken, User
from participants.services.api_tokens import limited_user, token_find

if TYPE_CHECKING:
    # REST framework's views import this module.
    from rest_framework.views import APIView


class TokenAuthentication(BaseAuthentication):
    """401 for a token that is unknown, revoked, expired or of somebody who left: it does not tell which."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        try:
            key = words[1].decode("ascii") if len(words) == 2 else ""
        except UnicodeDecodeError:
            key = ""
        token = token_find(key)
        if token is None:
            raise exceptions.AuthenticationFailed("This token is not valid, or not any more.")
        return limited_user(token), token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Wearable Trials"'


class SignedIn(BasePermission):
    """Anybody with an account; whom they see is decided by `visible_to`. A read-only token changes nothing."""

    message = "This token may only read."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        return request.method in SAFE_METHODS or not getattr(request.user, "read_only", False)
