"""Consent screen: plain HTML, so that people, a browser test and curl can all go through it."""

from __future__ import annotations

import html

from ingestion.providers.google_health.simulator.accounts import Account, Accounts
from ingestion.providers.google_health.simulator.messages import Response

MOST_ACCOUNTS = 60  # offered in the list; any other by its login_hint

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 2rem auto; padding: 0 1rem; color: #202124; }}
.note {{ background: #fef7e0; border: 1px solid #f9ab00; padding: .5rem .75rem; border-radius: .5rem; }}
fieldset {{ border: 1px solid #dadce0; border-radius: .5rem; margin: 1rem 0; min-width: 0; overflow-wrap: anywhere; }}
label {{ display: block; padding: .25rem 0; }} select {{ font: inherit; width: 100%; padding: .4rem; }}
button {{ font: inherit; padding: .6rem 1.4rem; border-radius: 1.4rem; border: 1px solid #5f6368; background: #fff; }}
button.allow {{ background: #0b57d0; border-color: #0b57d0; color: #fff; }}
</style></head><body><p class="note">This is the simulator, not Google. The accounts here do not exist.</p>
<h1>{title}</h1>{content}</body></html>"""


def _html(title: str, content: str, status: int) -> Response:
    body = _PAGE.format(title=html.escape(title), content=content).encode()
    return Response(status, body, {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"})


def refused(why: str) -> Response:
    """Error page of Google's own: the caller is not sent back."""
    return _html("Access blocked", f"<p>{html.escape(why)}</p>", 400)


def _option(account: Account, chosen: Account) -> str:
    what = account.profile.model.name if account.linked else "no Fitbit"
    selected = " selected" if account is chosen else ""
    return f'<option value="{account.number}"{selected}>{account.email} ({html.escape(what)})</option>'


def page(parameters: dict[str, str], accounts: Accounts, chosen: Account) -> Response:
    """Consent screen: choose an account, untick what shall not be shared, allow or deny."""
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
        for name, value in parameters.items()
        if name != "scope"
    )
    offered = [accounts.account(n) for n in range(1, min(accounts.participants, MOST_ACCOUNTS) + 1)]
    if chosen not in offered:
        offered.insert(0, chosen)
    ticks = "".join(
        f'<label><input type="checkbox" name="scope" value="{html.escape(scope)}" checked> '
        f"{html.escape(scope.rpartition('/')[2])}</label>"
        for scope in parameters["scope"].split()
    )
    content = f"""<p>The study’s website wants to read data of your Google Health account.</p>
<form method="post" action="/o/oauth2/v2/auth">{hidden}
<input type="hidden" name="asked" value="{html.escape(parameters["scope"])}">
<label for="account">Google account</label>
<select id="account" name="account">{"".join(_option(account, chosen) for account in offered)}</select>
<fieldset><legend>Select what it can access</legend>{ticks}</fieldset>
<button name="decision" value="deny">Cancel</button>
<button class="allow" name="decision" value="allow">Continue</button></form>"""
    return _html("Sign in with Google", content, 200)
