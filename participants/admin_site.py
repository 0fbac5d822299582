"""Admin site: what holds for each of its pages, whoever registers it, so that none can forget it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import BadRequest, FieldDoesNotExist, ValidationError
from django.http import HttpRequest

from participants.user_input import number_of, query_params


class Choice(AutocompleteSelect):
    """A choice that is searched for. Django's own asks the database for whatever stood there; a key is a number."""

    def optgroups(self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        groups: list[Any] = super().optgroups(
            name, [key for key in value if not key or number_of(key) is not None], attrs
        )
        return groups


class Choosing:
    """Mixin for pages and inlines whose `autocomplete_fields` are filled from an address or a form."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined]
            kwargs.setdefault("widget", Choice(db_field, self.admin_site, using=kwargs.get("using")))  # type: ignore[attr-defined]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]


class Guarded(Choosing):
    """Mixin of every page of the administration."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """A list is narrowed by what it shows or filters by. Columns that it hides cannot be probed by their beginning.

        Django lets any column of the model itself be asked for: encrypted contact data, digests of tokens, passwords.
        """
        first = lookup.partition("__")[0]
        allowed: bool = first in self._narrowed_by(request) and super().lookup_allowed(lookup, value, request)  # type: ignore[misc]
        return allowed

    def _narrowed_by(self, request: HttpRequest) -> set[str]:
        filters = self.get_list_filter(request)  # type: ignore[attr-defined]
        names = [item[0] if isinstance(item, (tuple, list)) else item for item in filters]
        names += [getattr(item, "parameter_name", "") for item in names if not isinstance(item, str)]
        names += [self.date_hierarchy or "", *self.get_list_display(request)]  # type: ignore[attr-defined]
        return {name.partition("__")[0] for name in names if isinstance(name, str)}

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Changelist; a parameter that PostgreSQL cannot hold narrows no list: Django then shows the whole one, and
        says so.
        """
        if not query_params(request).storable:
            raise IncorrectLookupParameters
        return super().get_changelist_instance(request)  # type: ignore[misc]

    def get_ordering(self, request: HttpRequest) -> Sequence[Any]:
        """Never none: who chooses from a list page by page would meet some rows twice, and others not at all."""
        meta = self.model._meta  # type: ignore[attr-defined]
        return super().get_ordering(request) or meta.ordering or ("-pk",)  # type: ignore[misc]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Initial values of a new form from the query string: values that its fields take, and no others."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)  # type: ignore[misc]
        return {name: value for name, value in initial.items() if self._fits(name, value)}

    def _fits(self, name: str, value: Any) -> bool:
        try:
            field = self.model._meta.get_field(name)  # type: ignore[attr-defined]
            form_field = field.formfield()
            if form_field is not None:
                form_field.clean(value)
        except (FieldDoesNotExist, AttributeError, ValidationError, ValueError, RecursionError):
            return False  # the last two: JSON of thousands of digits, or nested as deeply
        return form_field is not None


def guarded(admin_class: type[Any]) -> type[Any]:
    """The page's class with what every page does."""
    return type(admin_class.__name__, (Guarded, admin_class), {"__module__": admin_class.__module__})


class Administration(admin.AdminSite):
    """Django's site (settings.INSTALLED_APPS names its configuration), each page guarded."""

    def autocomplete_view(self, request: HttpRequest) -> Any:
        if not query_params(request).storable:
            raise BadRequest("Nothing that is searched for holds a NUL character.")
        return super().autocomplete_view(request)

    def register(self, model_or_iterable: Any, admin_class: type[Any] | None = None, **options: Any) -> None:
        models: Iterable[Any] = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        super().register(models, guarded(admin_class or admin.ModelAdmin), **options)
