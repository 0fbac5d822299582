"""Shared by all tests. The database is a real PostgreSQL, plain or with TimescaleDB: see `make test`."""
