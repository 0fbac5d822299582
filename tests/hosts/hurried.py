"""The product's Celery with a schedule in a hurry: celery -A tests.hosts.hurried beat."""

import sys

from config.celery import app

# What the test waits for; all else stays away.
EVERY_SECONDS = {"tick": 2.0, "resume-exports": 2.0}

if "beat" in sys.argv:  # and not where a test reads how often
    app.conf.beat_schedule = {
        name: {**entry, "schedule": EVERY_SECONDS[name]}
        for name, entry in app.conf.beat_schedule.items()
        if name in EVERY_SECONDS
    }
