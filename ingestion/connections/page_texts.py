"""Texts of the pages that say why connecting did not work, in plain words: one page for each case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as LazyText


@dataclass(frozen=True, slots=True)
class PageText:
    """A page without a form. `{vendor}` and `{study}` are filled in. `again`: whether trying again may help."""

    status: int
    title: LazyText
    text: tuple[LazyText, ...]
    again: bool = False


PAGE_TEXTS: dict[str, PageText] = {
    # The link.
    "unknown": PageText(
        404,
        _("This link is not complete"),
        (
            _("We do not know this link. Perhaps a part of it was lost when it was copied."),
            _("Open it again from the message or scan the code on paper again. Nothing has been shared."),
        ),
    ),
    "expired": PageText(
        410,
        _("This link is too old"),
        (
            _("For your safety the link works for some days only."),
            _("Ask your study team for a new one. Nothing has been shared through this one since it ended."),
        ),
    ),
    "cancelled": PageText(
        410,
        _("This link has been replaced"),
        (
            _("Your study team has sent you a newer link, or your part in the study has ended."),
            _("Use the newest link you have, or ask your study team."),
        ),
    ),
    "left": PageText(
        410,
        _("Your part in the study has ended"),
        (
            _(
                "Nothing is shared with {study}, and nothing is asked of {vendor}. If you gave a permission just now, "
                "we have given it back."
            ),
            _("If you think that this is a mistake, call the study team."),
        ),
    ),
    "study_over": PageText(
        410,
        _("{study} has ended"),
        (
            _(
                "No more data are collected, so there is nothing to connect. Nothing is shared. If you gave a "
                "permission just now, we have given it back."
            ),
            _("Thank you for taking part. If you have questions, call the study team."),
        ),
    ),
    "consent_missing": PageText(
        409,
        _("We need your agreement first"),
        (
            _(
                "What you agree to was changed or taken back while you were at {vendor}. Nothing is shared, and the "
                "permission you gave there was given back."
            ),
            _("Open your link again: it shows what you would agree to now."),
        ),
        again=True,
    ),
    "not_ready": PageText(
        503,
        _("This is not possible yet"),
        (_("The study is not ready to connect devices yet. The fault is not yours. Ask your study team when to try."),),
        again=True,
    ),
    # The way back from the vendor's screen.
    "foreign": PageText(
        400,
        _("This page cannot be used again"),
        (
            _("The answer we got was used before, took more than 15 minutes, or began in another browser."),
            _("Nothing has changed. Open your link from the study team to see where you are, or to begin again."),
        ),
    ),
    "denied": PageText(
        403,
        _("You said no, and that is fine"),
        (
            _("Nothing is shared with {study}."),
            _(
                "If you pressed Cancel by mistake, you can try again. If you do not want to share, you need do "
                "nothing. Your care stays the same."
            ),
        ),
        again=True,
    ),
    "nothing_allowed": PageText(
        403,
        _("No box was ticked"),
        (
            _("On the screen of {vendor} all boxes were left empty, so nothing is shared with {study}."),
            _("If you want to take part, try again and tick every box."),
        ),
        again=True,
    ),
    "no_device": PageText(
        422,
        _("There is no device on this account"),
        (
            _("The account you chose at {vendor} has no watch or tracker. Nothing is shared."),
            _(
                "Perhaps you have another account: the one in the app of your watch. Try again and choose that one. "
                "If the watch is new, set it up in its app first."
            ),
        ),
        again=True,
    ),
    "account_taken": PageText(
        409,
        _("This account is already connected"),
        (
            _(
                "This account of {vendor} is connected under another study id of {study}. Each participant needs an "
                "account of their own."
            ),
            _(
                "Perhaps another person of your household was signed in: try again and choose your own account. If "
                "this one is yours, call your study team: they can release it."
            ),
        ),
        again=True,
    ),
    "other_account": PageText(
        409,
        _("This is another account than before"),
        (
            _(
                "You connected {study} with another account of {vendor} the first time. "
                "So that data of two people never mix, it must be the same one again."
            ),
            _(
                "Try again with the account you used before. If you have changed your account, call your study team: "
                "they can allow the new one."
            ),
        ),
        again=True,
    ),
    # What only time or the operator can mend.
    "code_refused": PageText(
        400,
        _("That took too long"),
        (_("The permission ran out before it reached us. Nothing is shared yet. Please try again."),),
        again=True,
    ),
    "busy": PageText(
        503,
        _("{vendor} is busy just now"),
        (
            _("The fault is neither yours nor your watch’s. Nothing is shared yet."),
            _("Please try again in some minutes."),
        ),
        again=True,
    ),
    "broken": PageText(
        502,
        _("{vendor} did not answer properly"),
        (
            _("The fault is not yours. Nothing is shared yet."),
            _(
                "Please try again in some minutes. If it happens again, call the study team. The number is in your "
                "welcome letter."
            ),
        ),
        again=True,
    ),
    "ours": PageText(
        503,
        _("Something is wrong on our side"),
        (
            _("The study’s own access to {vendor} does not work. The fault is not yours, and nothing is shared yet."),
            _("We have told the people who run this site. Please try again tomorrow. Your link stays good."),
        ),
    ),
}
# Too little was granted to keep a connection up: a fault of the vendor's answer, from where the participant sits.
PAGE_TEXTS["no_refresh_token"] = PAGE_TEXTS["broken"]
