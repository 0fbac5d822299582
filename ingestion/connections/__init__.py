"""Connections to vendors: invitations, consent pages, OAuth grants, devices, and their end."""
