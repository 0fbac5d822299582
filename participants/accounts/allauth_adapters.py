"""Adapters of django-allauth: one message whatever was wrong, no sign-up, e-mails are sent by the worker.

Accounts go by User.email alone; allauth's own table of addresses stays empty, so that an address that was changed
opens nothing any more.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from allauth.account import app_settings as account_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from participants.accounts import emails, session_user, sign_in_log, two_factor
from participants.accounts.session_middleware import SIGNED_IN
from participants.models import SignIn, User
from participants.privacy import encryption
from participants.services import published_password
from participants.user_input import canonical_address

MISMATCH = "E-mail and password do not match."


class Backend(AuthenticationBackend):  # type: ignore[misc]  # allauth is not typed
    """Password sign-in by the user's own address, however it is written. Programs have tokens and do not sign in."""

    def _authenticate_by_email(self, email: str, password: str) -> Any:
        if password == published_password.PASSWORD and not published_password.opens():
            return None
        return self._check_password(User.objects.by_address(email).filter(is_service=False).first(), password)

    def get_user(self, user_id: int) -> User | None:
        """The user of a session, where they may still sign in."""
        user = session_user.session_user(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is not typed
    """allauth.account's decisions."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": MISMATCH,
        "too_many_login_attempts": "Too many attempts. Wait 15 minutes, or set a new password by e-mail.",
        "incorrect_password": "That is not your password.",
        "enter_current_password": "That is not your password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Key under which failures are counted: the address as accounts are looked up by, and nothing else.

        Neither another way to write it nor another name or port of this site begins a new count.
        """
        return canonical_address(str(credentials.get("email", "")))

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            sign_in_log.failed(request, str(credentials.get("email", "")), SignIn.Outcome.LOCKED)
            raise

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and not user.is_active:  # as if the password were wrong
            self.authentication_failed(request, **credentials)
            return None
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        sign_in_log.failed(request, str(credentials.get("email", "")), SignIn.Outcome.FAILED)

    def reauthenticate(self, user: User, password: str) -> bool:
        account = self.authenticate(context.request, email=user.email, password=password)
        return account is not None and account.pk == user.pk

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether to ask for the password again.

        Not just after signing in: nobody types their password twice to set up what is asked of them.
        """
        fresh = time.time() - float(context.request.session.get(SIGNED_IN, 0))
        if fresh < account_settings.REAUTHENTICATION_TIMEOUT:
            return False
        return bool(super().is_reauthentication_required(app=app, **kwargs))

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return "/account/"

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kw: Any
    ) -> None:
        """allauth's own sentences are left out where the page that follows says as much."""
        if message_template in emails.MESSAGES:
            kw["message"] = emails.MESSAGES[message_template]
            super().add_message(request, level, None, *args, **kw)
        elif kw.get("message"):
            super().add_message(request, level, message_template, *args, **kw)

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        emails.notify(user, template_prefix, self.request)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is not typed
    """allauth.mfa's decisions: secrets are encrypted at rest, and the last second factor stays where one is needed."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultMFAAdapter.error_messages,
        "cannot_delete_authenticator": "Your role needs a second factor: add another one before you remove this.",
        "incorrect_code": "That code is not right, or was used already.",
    }

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return two_factor.may_remove(authenticator.user, authenticator)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": "Wearable Trials"}

    def generate_authenticator_name(self, user: User, type: str) -> str:
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return f"Passkey {count + 1}"
