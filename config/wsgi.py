"""WSGI application, for gunicorn and its like."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config.observability import tracing

tracing.begin()  # in gunicorn's worker, after the fork; before Django reads its middleware
application = get_wsgi_application()
