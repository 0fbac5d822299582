"""What a participant is told where connecting did not work, in plain words: one page for each case."""

from __future__ import annotations

from dataclasses import dataclass

TEAM = "If it happens again, call the study team. The number is in your welcome letter."


@dataclass(frozen=True, slots=True)
class Letter:
    """A page without a form. `{vendor}` and `{study}` are filled in. `again`: whether trying again may help."""

    status: int
    title: str
    text: tuple[str, ...]
    again: bool = False


LETTERS: dict[str, Letter] = {
    # The link.
    "unknown": Letter(
        404,
        "This link is not complete",
        (
            "We do not know this link. Perhaps a part of it was lost when it was copied.",
            "Open it again from the message or scan the code on paper again. Nothing has been shared.",
        ),
    ),
    "expired": Letter(
        410,
        "This link is too old",
        (
            "For your safety the link works for some days only.",
            "Ask your study team for a new one. Nothing has been shared through this one since it ended.",
        ),
    ),
    "cancelled": Letter(
        410,
        "This link has been replaced",
        (
            "Your study team has sent you a newer link, or your part in the study has ended.",
            "Use the newest link you have, or ask your study team.",
        ),
    ),
    "left": Letter(
        410,
        "Your part in the study has ended",
        (
            "Nothing is shared with {study}, and nothing is asked of {vendor}. If you gave a permission just now, we "
            "have given it back.",
            "If you think that this is a mistake, call the study team.",
        ),
    ),
    "study_over": Letter(
        410,
        "{study} has ended",
        (
            "No more data are collected, so there is nothing to connect. Nothing is shared. If you gave a permission "
            "just now, we have given it back.",
            "Thank you for taking part. If you have questions, call the study team.",
        ),
    ),
    "consent_missing": Letter(
        409,
        "We need your agreement first",
        (
            "What you agree to was changed or taken back while you were at {vendor}. Nothing is shared, and the "
            "permission you gave there was given back.",
            "Open your link again: it shows what you would agree to now.",
        ),
        again=True,
    ),
    "not_ready": Letter(
        503,
        "This is not possible yet",
        ("The study is not ready to connect devices yet. The fault is not yours. Ask your study team when to try.",),
        again=True,
    ),
    # The way back from the vendor's screen.
    "foreign": Letter(
        400,
        "This page cannot be used again",
        (
            "The answer we got was used before, took more than 15 minutes, or began in another browser.",
            "Nothing has changed. Open your link from the study team to see where you are, or to begin again.",
        ),
    ),
    "denied": Letter(
        403,
        "You said no, and that is fine",
        (
            "Nothing is shared with {study}.",
            "If you pressed Cancel by mistake, you can try again. If you do not want to share, you need do nothing. "
            "Your care stays the same.",
        ),
        again=True,
    ),
    "nothing_allowed": Letter(
        403,
        "No box was ticked",
        (
            "On the screen of {vendor} all boxes were left empty, so nothing is shared with {study}.",
            "If you want to take part, try again and tick every box.",
        ),
        again=True,
    ),
    "no_device": Letter(
        422,
        "There is no device on this account",
        (
            "The account you chose at {vendor} has no watch or tracker. Nothing is shared.",
            "Perhaps you have another account: the one in the app of your watch. Try again and choose that one. "
            "If the watch is new, set it up in its app first.",
        ),
        again=True,
    ),
    "account_taken": Letter(
        409,
        "This account is already connected",
        (
            "This account of {vendor} is connected under another study id of {study}. Each participant needs an "
            "account of their own.",
            "Perhaps another person of your household was signed in: try again and choose your own account. If this "
            "one is yours, call your study team: they can release it.",
        ),
        again=True,
    ),
    "other_account": Letter(
        409,
        "This is another account than before",
        (
            "You connected {study} with another account of {vendor} the first time. "
            "So that data of two people never mix, it must be the same one again.",
            "Try again with the account you used before. If you have changed your account, call your study team: they "
            "can allow the new one.",
        ),
        again=True,
    ),
    # What only time or the operator can mend.
    "code_refused": Letter(
        400,
        "That took too long",
        ("The permission ran out before it reached us. Nothing is shared yet. Please try again.",),
        again=True,
    ),
    "busy": Letter(
        503,
        "{vendor} is busy just now",
        ("The fault is neither yours nor your watch’s. Nothing is shared yet.", "Please try again in some minutes."),
        again=True,
    ),
    "broken": Letter(
        502,
        "{vendor} did not answer properly",
        ("The fault is not yours. Nothing is shared yet.", f"Please try again in some minutes. {TEAM}"),
        again=True,
    ),
    "ours": Letter(
        503,
        "Something is wrong on our side",
        (
            "The study’s own access to {vendor} does not work. The fault is not yours, and nothing is shared yet.",
            "We have told the people who run this site. Please try again tomorrow. Your link stays good.",
        ),
    ),
}
# Too little was granted to keep a connection up: a fault of the vendor's answer, from where the participant sits.
LETTERS["no_refresh_token"] = LETTERS["broken"]
