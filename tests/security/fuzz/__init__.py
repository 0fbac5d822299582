"""Malformed imports, callbacks, notices, forms and API requests: no fault, no traceback, no secret in any log line.

`make test` tries some hundred; `make fuzz` ten thousand (FUZZ_EXAMPLES=n for another number).
"""
