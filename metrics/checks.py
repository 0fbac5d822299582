"""System checks of the store: `manage.py check` names the tier in use."""
