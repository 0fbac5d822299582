"""Machinery of the API: authentication, errors, pagination and repeated writes. Knows no resource."""
