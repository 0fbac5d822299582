"""Accounts of staff and managers: sign-in, second factor, sessions, invitations, API tokens."""
