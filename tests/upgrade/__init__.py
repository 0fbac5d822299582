"""Databases of earlier versions, as these versions made them, and what upgrades them."""
