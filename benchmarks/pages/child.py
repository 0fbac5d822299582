"""Child of `benchmarks.pages`: a trial of so many participants and days, whose pages it asks for at its parent's word.

python -m benchmarks.pages.child PARTICIPANTS DAYS
"""

from __future__ import annotations

import datetime as dt
import html
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import bench, checkouts
from benchmarks.pages.addresses import Page, pages

POLL = re.compile(r'hx-get="([^"]*[?&;]seen=[^"]+)"')


class Clients:
    """Who asks: a manager who is signed in and on the staff, the same by their token, and nobody."""

    def __init__(self, trial: Any) -> None:
        from django.test import Client
        from django.utils import timezone

        from participants.models import Membership, User
        from participants.services.api_tokens import token_create

        user = User.objects.create_superuser("manager@example.org", "only-for-this-benchmark")
        Membership.objects.create(user=user, trial=trial, role=Membership.Role.MANAGER)
        _, key = token_create(user=user, name="bench", expires_at=timezone.now() + dt.timedelta(days=1))
        self.nobody, self.program = Client(), Client(headers={"Authorization": f"Bearer {key}"})
        self.manager = Client()
        self.manager.force_login(user)

    def request(self, page: Page) -> Callable[[], dict[str, Any]]:
        """The function that asks for a page. Raises SystemExit where the answer is not what it should be."""
        client = self.program if page.token else self.manager if page.signed_in else self.nobody
        headers = {"HX-Request": "true"} if page.htmx or page.poll else {}
        path = self._poll(page.path) if page.poll else page.path

        def ask() -> dict[str, Any]:
            answer: Any = client.get(path, headers=headers)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            # Where the minute has passed in between, a poll brings the page.
            if answer.status_code != page.status and not (page.poll and answer.status_code == 200):
                raise SystemExit(f"{answer.status_code} for {path}: {content[:500]!r}")
            return {"bytes": len(content), "path": path}

        return ask

    def _poll(self, path: str) -> str:
        answer = self.manager.get(path).content.decode()
        if not (found := POLL.search(answer)):
            raise SystemExit(f"{path} does not ask for news")
        return html.unescape(found[1])


def main() -> None:
    answer = checkouts.channel()
    people, days = map(int, sys.argv[1:])
    began = time.perf_counter()
    with bench.database() as tier:
        from django.conf import settings
        from django.test import override_settings

        from benchmarks.pages import scene
        from config.celery import app
        from participants.models import Trial

        app.conf.task_always_eager = True
        seen = scene.made(people, days)
        took = time.perf_counter() - began
        # Static files by their own names: the hashed ones exist only where they were collected.
        plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        with override_settings(
            STORAGES={**settings.STORAGES, "staticfiles": plain},
            ALLOWED_HOSTS=["testserver"],
            SECURE_SSL_REDIRECT=False,
            API_RATE="1000000/minute",
            ROOT_URLCONF="benchmarks.pages.urls",
        ):
            clients = Clients(Trial.objects.get(code=scene.CODE))

            def work(name: str, number: int) -> Callable[[], dict[str, Any]]:
                return clients.request(pages(seen[number % len(seen)])[name])

            checkouts.serve(answer, {"server": tier, "seconds": took}, work)


if __name__ == "__main__":
    main()
