"""The API's wiring: routes, documents, OpenAPI settings."""
