"""Each address and method, with its rule. What is not listed here fails, and what is listed and gone fails too."""

from __future__ import annotations

from tests.access import rules as r
from tests.access.addresses import METHODS
from tests.access.expected_api import API
from tests.access.rules import Own, Rule

Methods = dict[str, Rule | Own]


def reads(rule: Rule | Own) -> Methods:
    return {"GET": rule}


def acts(rule: Rule | Own) -> Methods:
    return {"POST": rule}


def both(rule: Rule | Own) -> Methods:
    return {"GET": rule, "POST": rule}


P = "trials/{code}/participants/{study_id}/"
S = "trials/{code}/sync/{study_id}/{provider}/"
PAGES: dict[str, Methods] = {
    "": reads(r.OWN),
    "favicon.ico": dict.fromkeys(METHODS, r.PUBLIC),  # a redirect
    "health/live": reads(r.PUBLIC),
    "health/ready": reads(r.PUBLIC),
    "metrics": reads(r.NOWHERE),  # there is no token in tests
    "metrics/state": reads(r.NOWHERE),
    "digests/": both(r.OWN),
    "account/": both(r.OWN),
    "account/sign-ins/": reads(r.OWN),
    "account/session/": reads(r.OWN),
    "account/session/stay/": acts(r.OWN),
    "account/sign-out-everywhere/": acts(r.OWN),
    "account/join/{code}/": both(r.NOWHERE),
    "trials/{code}/": reads(r.TRIAL),
    "trials/{code}/progress/": reads(r.TRIAL),
    "trials/{code}/heatmap/": reads(r.TRIAL),
    "trials/{code}/heatmap/{study_id}/{date}/": reads(r.PARTICIPANT),
    P: reads(r.PARTICIPANT),
    f"{P}series.json": reads(r.PARTICIPANT),
    f"{P}notes/": acts(r.MANAGED),
    f"{P}consent/": reads(r.PARTICIPANT),
    f"{P}consent/{{verb}}/": acts(r.MANAGED),
    f"{P}corrections/": reads(r.CORRECTIONS),
    f"{P}corrections/{{verb}}/": acts(r.CORRECTIONS),
    f"{P}pulse/": reads(r.PARTICIPANT),
    f"{P}invite/": acts(r.MANAGED),
    f"{P}invitations/{{pk}}/": reads(r.MANAGED),
    f"{P}disconnect/{{provider}}/": both(r.MANAGED),
    f"{P}call/": both(r.CONTACTING),
    "account/tokens/": both(r.OWN),
    "account/tokens/{pk}/revoke/": both(r.OTHERS),
    "trials/{code}/service-accounts/": both(r.TEAM),
    "trials/{code}/service-accounts/{pk}/end/": acts(r.TEAM),
    "trials/{code}/exports/": both(r.TRIAL),
    "trials/{code}/exports/estimate/": reads(r.TRIAL),
    "trials/{code}/exports/{uuid}/": reads(r.OTHERS),
    "trials/{code}/exports/{uuid}/cancel/": acts(r.OTHERS),
    "trials/{code}/exports/{uuid}/again/": acts(r.OTHERS),
    "trials/{code}/exports/{uuid}/download/": reads(r.OTHERS),
    "trials/{code}/exports/{uuid}/files/{path}": reads(r.OTHERS),
    "trials/{code}/team/": both(r.TEAM),
    "trials/{code}/team/{pk}/revoke/": acts(r.TEAM),
    "trials/{code}/team/{pk}/again/": acts(r.TEAM),
    "trials/{code}/alerts/": reads(r.TRIAL),
    "trials/{code}/alerts/{pk}/{verb}/": acts(r.MANAGED),
    "trials/{code}/alerts/several/{verb}/": acts(r.TRIAL_ACT),
    "trials/{code}/contact/": both(r.CONTACTING),
    "trials/{code}/contacts/": reads(r.TRIAL),
    "trials/{code}/calls/": reads(r.CONTACTING),
    "opt-out/{code}/": both(r.NOWHERE),
    "demo/mailbox/": reads(r.HIDDEN),
    "trials/{code}/adherence/": reads(r.TRIAL),
    "trials/{code}/protocol/": reads(r.TRIAL),
    "trials/{code}/protocol/new/": both(r.RULES),
    "trials/{code}/recomputes/": acts(r.RULES),
    "trials/{code}/recomputes/{pk}/": reads(r.TRIAL),
    "trials/{code}/sync/": reads(r.TRIAL),
    S: reads(r.PARTICIPANT),
    f"{S}now/": acts(r.MANAGED),
    f"{S}backfill/": acts(r.MANAGED),
    f"{S}requeue/": acts(r.MANAGED),
    # Without a login, for who has a participant's link; here it is forged.
    "connect/callback/{provider}/": reads(r.NOWHERE),
    "connect/{code}/": reads(r.NOWHERE),
    "connect/{code}/to/{provider}/": acts(r.NOWHERE),
    "connect/{code}/stop/{provider}/": both(r.NOWHERE),
    "webhooks/{provider}/": acts(r.NOWHERE),
}
# Signing in, and what belongs to one's own account (allauth's views).
SIGN_IN: dict[str, Methods] = {
    **dict.fromkeys(("login/", "login/code/", "login/passkey/", "logout/"), dict.fromkeys(METHODS, r.GETTING_IN)),
    **{
        f"account/password/reset/{further}": dict.fromkeys(METHODS, r.GETTING_IN)
        for further in ("", "sent/", "done/", "{uidb36}-{key}/")
    },
    **{
        f"account/{further}": dict.fromkeys(METHODS, r.ACCOUNT)
        for further in (
            "password/",
            "password/set/",
            "confirm/",
            "confirm/code/",
            "confirm/passkey/",
            "second-factor/",
            "second-factor/app/",
            "second-factor/app/remove/",
            "recovery-codes/",
            "recovery-codes/new/",
            "passkeys/",
            "passkeys/add/",
            "passkeys/{pk}/remove/",
            "passkeys/{pk}/name/",
        )
    },
}
ADMIN: Methods = dict.fromkeys(("GET", "POST"), r.ADMIN)
# The administration: by its own rule (ADMIN) but for these.
ADMIN_FURTHER: dict[str, Methods] = {
    **dict.fromkeys(("admin/", "admin/jsi18n/", "admin/{url}"), both(r.ADMIN_HOME)),
    **dict.fromkeys(("admin/password_change/", "admin/password_change/done/"), both(r.GETTING_IN)),
    **dict.fromkeys(("admin/login/", "admin/logout/"), both(r.GETTING_IN)),
}


def expectation(route: str) -> Methods | None:
    """The rules of a route by method; None: nobody has said."""
    for known in (PAGES, SIGN_IN, API, ADMIN_FURTHER):
        if route in known:
            return known[route]
    if route.startswith("admin/"):
        # An object's bare address leads on to its form, whatever it is.
        return both(r.ADMIN_HOME) if route.endswith("{object_id}/") else ADMIN
    return None


def known_routes() -> set[str]:
    return {*PAGES, *SIGN_IN, *API, *ADMIN_FURTHER}
