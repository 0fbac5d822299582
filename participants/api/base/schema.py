"""OpenAPI extensions for drf-spectacular: tokens, problem details, and the headers of every response."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from participants.api.base.exceptions import MEDIA_TYPE
from participants.api.base.idempotency import HEADER, LONGEST, REPLAYED

Document = dict[str, Any]
SAFE = {"get", "head", "options"}

PROBLEM: Document = {
    "type": "object",
    "description": "What is wrong, where, and what to do (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "about:blank: the status says it all."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "errors": {
            "description": "By parameter or field: what is wrong with it. Nested where the field is.",
            "type": "object",
            "additionalProperties": True,
        },
    },
    "required": ["type", "title", "status"],
    "additionalProperties": True,
}

# By status: the component's name, what it means, and an example's title, detail and further members.
PROBLEMS: dict[str, tuple[str, str, tuple[str, str, Document]]] = {
    "400": (
        "BadRequest",
        "The request is not right; `errors` names each parameter or field.",
        (
            "The request is not right.",
            "Look at: status.",
            {"errors": {"status": ['"lost" is not a valid choice.']}},
        ),
    ),
    "401": (
        "Unauthorized",
        "No token or session, or one that is not in force any more.",
        ("Unauthorized", "This token is not valid, or not any more.", {}),
    ),
    "403": ("Forbidden", "Yours to see, not to do.", ("Forbidden", "This token may only read.", {})),
    "404": (
        "NotFound",
        "There is no such thing, or it is not yours to see.",
        ("Not Found", "There is no such thing, or it is not yours to see.", {}),
    ),
    "406": (
        "NotAcceptable",
        "`Accept` names nothing that this address can send.",
        ("Not Acceptable", "Could not satisfy the request Accept header.", {}),
    ),
    "409": ("Conflict", "It cannot be done as things stand.", ("Conflict", "This study id is taken.", {})),
    "412": (
        "Changed",
        "It is not any more as `If-Match` says.",
        ("It has changed meanwhile.", "Read it again and look whether your change still fits.", {}),
    ),
    "413": ("TooLarge", "The body is too large.", ("Content Too Large", "The body is too large.", {})),
    "415": (
        "UnsupportedMediaType",
        "The body is not JSON.",
        ("Unsupported Media Type", 'Unsupported media type "text/plain" in request.', {}),
    ),
    "422": (
        "KeyReused",
        "The idempotency key was used for another request.",
        ("This idempotency key was used for another request.", "Send this one with a key of its own.", {}),
    ),
    "429": (
        "TooManyRequests",
        "This token's limit is reached; `Retry-After` says for how many seconds.",
        ("Too Many Requests", "Request was throttled. Expected available in 12 seconds.", {}),
    ),
}
ALWAYS = ("400", "401", "406", "429")
OF_WRITES = ("403", "409", "413", "415", "422")

HEADERS: dict[str, Document] = {
    "ETag": {"description": "Of what the answer holds; send it back as `If-None-Match`.", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "Requests a token has in a minute.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "How many of them are left.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until one comes back.", "schema": {"type": "integer"}},
    "X-Request-ID": {"description": "Names this request in logs and audit trail.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    REPLAYED: {"description": "true: done before; this is the first answer again.", "schema": {"type": "string"}},
}
OF_ALL = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-Request-ID")

PARAMETERS: dict[str, Document] = {
    "IdempotencyKey": {
        "name": HEADER,
        "in": "header",
        "description": "A key of yours for this very write, e.g. a UUID. Sent again within 24 hours with the same "
        "body, the write is not done again and the first answer comes back.",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[ -~]+$"},
        "example": "3f1c9a52-6d0b-4c5e-9a0e-2f8f5f0d7b11",
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of what is known already: 304 and no body where nothing has changed.",
        "schema": {"type": "string"},
        "example": 'W/"2c26b46b68ffc68ff99b453c1d304134"',
    },
}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer wt_...`."""

    target_class = "participants.api.base.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A personal or service token: wt_..."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Session of a browser as a security scheme. Writes bring the token against forgery as X-CSRFToken too."""

    target_class = "rest_framework.authentication.SessionAuthentication"
    name = "session"
    priority = 1  # before the library's own

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        description = "A browser's session. Writes bring X-CSRFToken too."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": description}


def complete(result: Document, **_: Any) -> Document:
    """A postprocessing hook: each operation gets the errors, parameters and headers that all of them have.

    What a view declares itself stays as it is.
    """
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["responses"] = {
        name: _problem(status, description, example) for status, (name, description, example) in PROBLEMS.items()
    }
    components["headers"] = HEADERS
    components["parameters"] = PARAMETERS
    for path, item in result["paths"].items():
        for method, operation in item.items():
            if method in SAFE | {"post", "put", "patch", "delete"}:
                named = "{" in path or any(p.get("name") == "trial" for p in operation.get("parameters", []))
                _complete(operation, method, names_something=named)
    for part in ("schemas", "securitySchemes"):
        components[part] = dict(sorted(components.get(part, {}).items()))
    return result


def _complete(operation: Document, method: str, *, names_something: bool) -> None:
    responses: Document = operation["responses"]
    reads = method in SAFE
    for status, response in responses.items():
        if status.startswith("2"):
            own = response.setdefault("headers", {})
            for name in (*OF_ALL, "ETag" if reads else REPLAYED):
                own.setdefault(name, {"$ref": f"#/components/headers/{name}"})
    guarded = any(parameter.get("name") == "If-Match" for parameter in operation.get("parameters", []))
    further = (*(("412",) if guarded else ()), *(("404",) if names_something else ()))
    # A view that names a problem's status without a body means the problem.
    named = [status for status, response in responses.items() if status in PROBLEMS and "content" not in response]
    for status in named:
        del responses[status]
    for status in (*ALWAYS, *(() if reads else OF_WRITES), *further, *named):
        responses.setdefault(status, {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"})
    if reads:
        responses.setdefault("304", {"description": "Nothing has changed since the ETag that was sent."})
    operation["responses"] = dict(sorted(responses.items()))
    shared = "IfNoneMatch" if reads else "IdempotencyKey"
    operation.setdefault("parameters", []).append({"$ref": f"#/components/parameters/{shared}"})


def _problem(status: str, description: str, example: tuple[str, str, Document]) -> Document:
    title, detail, further = example
    problem = {"type": "about:blank", "title": title, "status": int(status), "detail": detail, **further}
    headers = ("X-Request-ID", "Retry-After") if status == "429" else ("X-Request-ID",)
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": problem}
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {MEDIA_TYPE: content},
    }
