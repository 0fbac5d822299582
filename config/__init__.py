"""Wiring: settings, Celery, URL roots, the database engine. No rules of the domain.

Imports nothing: deploy/bootstrap.py reads config.embedded.setup before any package is installed. The Celery
application is made when Django starts (config.apps).
"""
