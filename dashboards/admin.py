"""Registers what staff see of contacting in the administration."""

from dashboards import admin_letters  # noqa: F401  registers the letters
