"""Descriptions that resources share: parameters of their paths, and parameters that several take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema

View = TypeVar("View", bound=type)

IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of what you read: 412 where it has changed since.",
)
# What stands in addresses, by name.
IN_PATH: dict[str, tuple[Any, str]] = {
    "code": (OpenApiTypes.STR, "The trial's code."),
    "study_id": (OpenApiTypes.STR, "The participant's study id."),
}


def resource(tag: str, *in_path: str) -> Callable[[View], View]:
    """Describe a view: its tag, and what all of its addresses name, in their order."""
    path_parameters = [
        OpenApiParameter(name, IN_PATH[name][0], OpenApiParameter.PATH, description=IN_PATH[name][1])
        for name in in_path
    ]
    describe: Callable[[View], View] = extend_schema(tags=[tag], parameters=path_parameters)
    return describe
