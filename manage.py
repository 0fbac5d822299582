#!/usr/bin/env python
"""Django's command line for Wearable Trials."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings.SECRET_KEY  # noqa: B018  loads the settings, whose faults deserve a line and not a traceback
    except ImproperlyConfigured as fault:
        sys.exit(f"Configuration: {fault}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
