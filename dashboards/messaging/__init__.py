"""Messaging: templates, compose, sending by SMTP, bounces, unsubscribe, the log."""
