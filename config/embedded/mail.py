"""Mail server of the demo: takes every message, sends none on, keeps each as a file. Bounces can be tried out.

`python -m config.embedded.mail PORT FOLDER`. Addresses that begin with "bounce" are refused as a server refuses an
address that does not exist.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from itertools import count
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT = 500
_NUMBERS = count()


class Folder:
    """aiosmtpd's handler: a file for each message, the newest so many of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.lower().startswith("bounce"):
            return f"550 5.1.1 <{address}> there is no such address"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        name = f"{time.time_ns() // 1000:016d}-{next(_NUMBERS)}.eml"
        content = envelope.content or b""
        part = self.folder / f".{name}.part"
        part.write_bytes(content if isinstance(content, bytes) else content.encode())
        part.rename(self.folder / name)  # who lists the folder never sees half a message
        for old in sorted(self.folder.glob("*.eml"))[:-KEPT]:
            old.unlink(missing_ok=True)
        return "250 Kept"


def controller(port: int, folder: Path) -> Controller:
    """The server at a port of this machine alone; not started yet."""
    return Controller(Folder(folder), hostname="127.0.0.1", port=port)


def main() -> int:
    os.umask(0o077)
    server = controller(int(sys.argv[1]), Path(sys.argv[2]))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
