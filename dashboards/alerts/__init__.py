"""Alerts: rules that raise them, lists, actions, digests by e-mail."""
