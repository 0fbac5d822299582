"""Wiring: settings, Celery, URL roots, the database engine. No rules of the domain."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
