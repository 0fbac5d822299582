"""Static files: whether the collected ones still match their sources. Collecting takes seconds, comparing none."""

from __future__ import annotations

import hashlib
from pathlib import Path

from config.embedded.environment import ROOT, VAR

_STAMP = VAR / "static-files"
_MANIFEST = ROOT / "staticfiles" / "staticfiles.json"


def _fingerprint() -> str:
    """Fingerprint of names, sizes and times in `static/`, and of the lock that fixes the packages' own files."""
    digest = hashlib.sha256((ROOT / "requirements" / "app.lock").read_bytes())
    files: list[Path] = sorted(path for path in (ROOT / "static").rglob("*") if path.is_file())
    for path in files:
        state = path.stat()
        digest.update(f"{path.relative_to(ROOT)}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def stale() -> bool:
    """True when files must be collected (again)."""
    return not (_MANIFEST.is_file() and _STAMP.is_file() and _STAMP.read_text() == _fingerprint())


def stamp() -> None:
    """Notes that the files were collected as they are now."""
    _STAMP.write_text(_fingerprint())
