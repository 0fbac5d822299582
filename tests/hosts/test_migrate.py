"""Hosts that migrate one database at the same time."""

from __future__ import annotations

import io
import threading

import pytest
from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.db import connection

from config.management.commands.migrate import alone

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_second_waits_for_the_first_and_says_so() -> None:
    said, done = io.StringIO(), threading.Event()

    def second_host() -> None:
        try:
            call_command("migrate", stdout=said)
        finally:
            connection.close()
            done.set()

    other = threading.Thread(target=second_host)
    with alone("default", OutputWrapper(io.StringIO())):
        other.start()
        assert not done.wait(1.0)
        assert "Another host migrates this database" in said.getvalue()
    assert done.wait(30)
    assert "No migrations to apply" in said.getvalue()


def test_a_plan_waits_for_nobody() -> None:
    with alone("default", OutputWrapper(io.StringIO())):
        call_command("migrate", plan=True, stdout=io.StringIO())
