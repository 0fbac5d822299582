"""URLs of the API, gathered from the apps. Its errors outside any resource are problem details too."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from config.api import docs
from config.api.routes import router
from participants.api.base import schema  # noqa: F401  registers what it says of tokens
from participants.api.base.exceptions import plain
from participants.api.contact import ContactView
from participants.api.me import MeView


@csrf_exempt
def nowhere(request: HttpRequest, rest: str = "") -> HttpResponse:
    """An address under /api/ that does not exist."""
    return plain(request, 404, "There is no such address. The API is described at /api/docs.")


urlpatterns = [
    path("v1/", include("metrics.api.urls")),
    path("v1/me", MeView.as_view(), name="me"),
    path("v1/trials/<str:code>/participants/<str:study_id>/contact", ContactView.as_view(), name="contact"),
    path("v1/", include((router.urls, "api"))),
    path("schema", docs.SchemaView.as_view(), name="api-schema"),
    path("docs", docs.docs, name="api-docs"),
    re_path(r"^(?P<rest>.*)$", nowhere, name="api-nowhere"),
]
