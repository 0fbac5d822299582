"""The Celery application. Tasks live in each app's `tasks.py`; beat's schedule is here because it is wiring."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("wearable_trials")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
