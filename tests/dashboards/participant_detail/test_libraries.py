"""The pinned chart libraries: our copies are the bytes that the integrity hashes name."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders

from dashboards.participant_detail.charts.libraries import LIBRARIES, Library, loading_plan


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.package)
def test_our_copy_matches_the_integrity_hash(library: Library) -> None:
    found = finders.find(library.vendor_path)
    assert isinstance(found, str)
    digest = hashlib.sha384(Path(found).read_bytes()).digest()
    assert library.integrity == "sha384-" + base64.b64encode(digest).decode()


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.package)
def test_each_copy_keeps_its_licence(library: Library) -> None:
    assert finders.find(f"vendor/{library.package}-{library.version}/LICENSE.md")


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.package)
def test_the_cdn_address_names_the_exact_version(library: Library) -> None:
    assert library.cdn_url.startswith(f"https://cdn.jsdelivr.net/npm/{library.package}@{library.version}/")


@pytest.mark.parametrize("wanted", [True, False])
def test_the_setting_decides_whether_the_cdn_is_asked(settings: Any, wanted: bool) -> None:
    settings.CHARTS_FROM_CDN = wanted
    assert loading_plan()["cdn"] is wanted
