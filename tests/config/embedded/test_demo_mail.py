"""The demo's mail server as a program of its own: it keeps what it takes and refuses what should bounce."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "config.embedded.mail", str(free), str(tmp_path / "mail")]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", free)) == 0:
                    break
            time.sleep(0.1)
        yield free
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_mail_is_kept_as_a_file_for_its_owner_alone(port: int, tmp_path: Path) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("trials@site.example", ["robin@example.org"], b"Subject: hello\r\n\r\nhello\r\n")
    (kept,) = (tmp_path / "mail").glob("*.eml")
    assert kept.read_bytes().startswith(b"Subject: hello")
    assert kept.stat().st_mode & 0o077 == 0


def test_addresses_that_begin_with_bounce_are_refused(port: int, tmp_path: Path) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.sendmail("trials@site.example", ["bounce.9@example.org"], b"Subject: hello\r\n\r\nhello\r\n")
    assert refused.value.recipients["bounce.9@example.org"][0] == 550
    assert not list((tmp_path / "mail").glob("*.eml"))
