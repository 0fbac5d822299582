"""Django's database engine for this project: see `base.py`."""
