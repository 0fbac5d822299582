"""Query parameters of a request, checked: what is unknown, missing or contradictory is named in a 400."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from participants.api.base.exceptions import BadParameters

OF_PAGES = {"cursor", "page_size", "format"}


class Parameters(serializers.Serializer[Any]):
    """Declares parameters as fields. drf-spectacular takes a subclass as `parameters=[...]` too."""

    @classmethod
    def read(cls, request: Request, *, also: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The values by name. Raises BadParameters, which names each parameter that is wrong and each that is unknown.

        `also`: names that something else reads, besides those of pages.
        """
        serializer = cls(data=request.query_params)
        errors: dict[str, list[str]] = {}
        if not serializer.is_valid():
            errors = {name: [str(text) for text in messages] for name, messages in serializer.errors.items()}
        for name, field in serializer.fields.items():
            # REST framework takes an empty text for one that was not sent.
            if request.query_params.get(name) == "" and not getattr(field, "allow_blank", False):
                errors.setdefault(name, ["Give it a value or leave it out."])
        known = set(serializer.fields) | OF_PAGES | also
        for name in request.query_params:
            if name not in known:
                errors[name] = [f"There is no such parameter here. Known: {', '.join(sorted(known))}."]
        if any("\0" in value for values in request.query_params.lists() for value in values[1]):
            errors.setdefault("non_field_errors", []).append("A NUL is part of no parameter.")
        if errors:
            raise BadParameters(errors)
        values: dict[str, Any] = serializer.validated_data
        return values
