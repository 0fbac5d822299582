"""Pages by their names, and how each is asked for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from benchmarks.pages.scene import CODE

EMPTY = "benchmark/empty/"
UNIT = "empty page"  # what the others are told in


@dataclass(frozen=True, slots=True)
class Page:
    """Way to ask for a page. `poll`: what is measured is its question whether there is news; `status`: its answer."""

    path: str
    htmx: bool = False
    poll: bool = False
    status: int = 200
    signed_in: bool = True
    token: bool = False


def pages(study_id: str) -> dict[str, Page]:
    """Every page of a trial and of one of its participants, by name."""
    today = dt.datetime.now(dt.UTC).date()
    trial, person = f"/trials/{CODE}/", f"/trials/{CODE}/participants/{study_id}/"
    week, day = today - dt.timedelta(days=6), today - dt.timedelta(days=2)
    series = f"{person}series.json?metric=heart_rate&end={today}"
    api = f"/api/v1/trials/{CODE}"
    signed_in = {
        UNIT: Page(f"/{EMPTY}"),
        "trial": Page(trial),
        "trial, rows alone": Page(f"{trial}?sort=adherence", htmx=True),
        "trial, searched": Page(f"{trial}?q=harbour+battery&sort=adherence"),
        "trial, any news?": Page(trial, poll=True, status=204),
        "participant": Page(person),
        "participant, other days": Page(f"{person}?range=month", htmx=True),
        "participant, any news?": Page(person, poll=True, status=204),
        "series of a week": Page(f"{series}&start={week}"),
        "alerts": Page(f"{trial}alerts/"),
        "alerts, any news?": Page(f"{trial}alerts/", poll=True, status=204),
        "heat map": Page(f"{trial}heatmap/?sort=adherence"),
        "heat map, whole trial": Page(f"{trial}heatmap/?span=trial"),
        "heat map, a day": Page(f"{trial}heatmap/{study_id}/{day}/", htmx=True),
        "adherence": Page(f"{trial}adherence/"),
        "trials": Page("/"),
        "contact": Page(f"{trial}contact/?to={study_id}"),
        "contacts": Page(f"{trial}contacts/"),
        "calls": Page(f"{trial}calls/?to={study_id}"),
        "connections": Page(f"{trial}sync/"),
        "connection": Page(f"{trial}sync/{study_id}/google_health/"),
        "exports": Page(f"{trial}exports/"),
        "exports, estimate": Page(f"{trial}exports/estimate/?kind=samples", htmx=True),
        "protocol": Page(f"{trial}protocol/"),
        "protocol, new": Page(f"{trial}protocol/new/"),
        "team": Page(f"{trial}team/"),
        "service accounts": Page(f"{trial}service-accounts/"),
        "corrections": Page(f"{person}corrections/"),
        "consent": Page(f"{person}consent/"),
        "digests": Page("/digests/"),
        "account": Page("/account/"),
        "tokens": Page("/account/tokens/"),
        "administration, participants": Page("/admin/participants/participant/"),
    }
    apart = {
        "sent to the login": Page(trial, status=302, signed_in=False),
        "login": Page("/login/", signed_in=False),
        "API, trial": Page(api, token=True),
        "API, participants": Page(f"{api}/participants", token=True),
        "API, series of a week": Page(
            f"/api/v1/series?trial={CODE}&participants={study_id}&metrics=heart_rate&start={week}&end={today}",
            token=True,
        ),
    }
    return signed_in | apart
