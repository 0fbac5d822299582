"""Middleware: limits, headers, content security policy, sessions."""
