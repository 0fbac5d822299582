"""The product's addresses, and an empty page of somebody who is signed in: what every page costs at least."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path

from benchmarks.pages.addresses import EMPTY
from dashboards.ui.access import signed_in


@cache
def template() -> Any:
    return engines["django"].from_string('{% extends "base.html" %}{% block main %}<h1>Nothing</h1>{% endblock %}')


@signed_in
def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(template().render({}, request))


urlpatterns = [path(EMPTY, empty), path("", include("config.urls"))]
