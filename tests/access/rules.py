"""What each kind of address means for each person: in, asked to sign in, forbidden, or as if it did not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.access import people as who

IN, LOGIN, FORBIDDEN, NONE, METHOD, BROKEN = "in", "sign in", "403", "404", "405", "5xx"
REFUSED = frozenset({LOGIN, FORBIDDEN, NONE, METHOD})
MEMBERS = frozenset({who.VIEWER, who.ANALYST, who.ELSEWHERE, who.COORDINATOR, who.MANAGER})
NEAR = MEMBERS - {who.ELSEWHERE}  # who sees AX-0042
ACTING = frozenset({who.COORDINATOR, who.MANAGER})  # who acts for them
SIGNED_IN = frozenset(who.WITH_SESSION) - {who.ANONYMOUS}
TOKENS = frozenset({who.READING, who.WRITING, who.OF_ANOTHER, who.PROGRAM_OF_ANOTHER})  # in force
OUT = frozenset({who.ANONYMOUS, who.REVOKED, who.EXPIRED})


@dataclass(frozen=True, slots=True)
class Rule:
    """`let_in` and `forbidden` of those who are known; for the rest of them it does not exist.

    `tokens`: whether tokens are heeded (the API); else they count for nothing, as at every page.
    """

    let_in: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    tokens: bool = False
    public: str = ""  # what everybody gets, whoever asks; where tokens are heeded, not who brings one that ended

    def accepts(self, person: str, found: str) -> bool:
        return found == self.expected(person)

    def expected(self, person: str) -> str:
        if self.public:
            return LOGIN if self.tokens and person in OUT - {who.ANONYMOUS} else self.public
        if person in OUT or (person in who.WITH_TOKEN and not self.tokens):
            return LOGIN
        if person in self.let_in:
            return IN
        return FORBIDDEN if person in self.forbidden else NONE


@dataclass(frozen=True, slots=True)
class Own:
    """What is about the one who asks alone, or staff's by their permissions: the others are refused, whichever way."""

    refused: frozenset[str] = frozenset()

    def accepts(self, person: str, found: str) -> bool:
        return found != BROKEN and (person not in self.refused or found in REFUSED)

    def expected(self, person: str) -> str:
        return "refused" if person in self.refused else "no error"


def page(let_in: frozenset[str], forbidden: frozenset[str] = frozenset()) -> Rule:
    return Rule(let_in, forbidden)


def read(let_in: frozenset[str], forbidden: frozenset[str] = frozenset()) -> Rule:
    """Of the API: the manager's tokens read what the manager reads."""
    tokens = frozenset({who.READING, who.WRITING})
    if who.MANAGER not in let_in:
        return Rule(let_in, forbidden | tokens if who.MANAGER in forbidden else forbidden, tokens=True)
    return Rule(let_in | tokens, forbidden, tokens=True)


def write(let_in: frozenset[str], forbidden: frozenset[str] = frozenset()) -> Rule:
    """Of the API: the writing token alone. A reading one is told so before anything is looked up."""
    return Rule(let_in | {who.WRITING}, forbidden | {who.READING}, tokens=True)


PUBLIC = Rule(public=IN)
API_PUBLIC = Rule(public=IN, tokens=True)
NOWHERE = Rule(public=NONE)
# --- Pages ---
OWN = page(SIGNED_IN)
TRIAL = page(MEMBERS)
PARTICIPANT = page(NEAR)
MANAGED = page(ACTING, NEAR - ACTING)
TRIAL_ACT = page(ACTING, MEMBERS - ACTING)  # whom it is about decides: of that site there is nobody
CORRECTIONS = page(frozenset({who.MANAGER}), NEAR - {who.MANAGER})
RULES = page(frozenset({who.MANAGER}), MEMBERS - {who.MANAGER})
TEAM = page(frozenset({who.MANAGER}))
CONTACTING = page(ACTING)  # whoever may not, is not told that it exists
HIDDEN = page(frozenset())
OTHERS = HIDDEN  # somebody else's token
# --- The administration: staff by their permissions, of whom this one has none ---
ADMIN = Own(refused=frozenset(who.EVERYBODY) - {who.SUPERUSER})
ADMIN_HOME = Own(refused=frozenset(who.EVERYBODY) - {who.STAFF, who.SUPERUSER})
# --- Accounts, by allauth: one's own, and the ways to get in ---
ACCOUNT = Own(refused=frozenset({who.ANONYMOUS, *who.WITH_TOKEN}))
GETTING_IN = Own()
# --- The API ---
API_OWN = Rule(SIGNED_IN | TOKENS, tokens=True)
API_TRIAL = read(MEMBERS)
API_PARTICIPANT = read(NEAR)
API_ACT = write(ACTING, NEAR - ACTING)
API_TRIAL_ACT = write(ACTING, MEMBERS - ACTING)  # without a site: who acts for one site may not
API_LED = read(frozenset({who.MANAGER}), MEMBERS - {who.MANAGER})
# Staff by their permissions, as in the administration: of these the superuser alone has one.
API_STAFF = Rule(frozenset({who.SUPERUSER}), SIGNED_IN | TOKENS, tokens=True)
# Who somebody is may be read by those alone who may also act: not with a token that only reads.
API_CONTACT = Rule(ACTING | {who.WRITING}, (NEAR - ACTING) | {who.READING}, tokens=True)
API_EXPORT = write(MEMBERS)
API_OTHERS = read(frozenset())  # somebody else's export
API_OTHERS_ACT = Rule(forbidden=frozenset({who.READING}), tokens=True)
API_RULES = write(frozenset({who.MANAGER}), MEMBERS - {who.MANAGER})


def outcome(answer: Any) -> str:
    """What an answer says of the one who asked. Past the door counts as in, whatever was made of the body.

    The administration leads from what does not exist to its first page.
    """
    status = answer.status_code
    if status >= 500:
        return BROKEN
    if status == 401 or (status in (302, 303) and "login/" in answer.headers["Location"]):
        return LOGIN
    if status == 302 and answer.headers["Location"] == "/admin/":
        return NONE
    return {403: FORBIDDEN, 404: NONE, 410: NONE, 405: METHOD}.get(status, IN)
