"""The administration's view of metrics and sources: to look at. Both are written by the program alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from metrics.models import Metric, Source

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:  # Django's own class takes no type parameters when the program runs
    Base = admin.ModelAdmin


class ReadOnly(Base):
    """Neither added nor changed nor deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Metric)
class MetricAdmin(ReadOnly):
    list_display = ("code", "name", "unit", "kind", "aggregate", "concept", "plausible_low", "plausible_high")
    list_filter = ("kind", "aggregate")
    search_fields = ("code", "name")


@admin.register(Source)
class SourceAdmin(ReadOnly):
    list_display = ("__str__", "provider", "platform", "device_model", "synthetic")
    list_filter = ("synthetic", "provider")
    search_fields = ("provider", "platform", "device_model")
