"""Embedded servers: PostgreSQL and Redis from wheels, and one process that runs the product on them.

    python -m config.embedded demo | run | test [PYTEST ARGUMENTS] | bench MODULE [ARGUMENTS]
    python -m config.embedded backup [COMMAND] | restore [--to TIME] [--base NAME]

`demo` and `run` serve the product until Ctrl-C; `test` and `bench` lend a throw-away PostgreSQL to a command.
Everything that lasts is under `var/`. A DATABASE_URL or REDIS_URL of one's own replaces the embedded server.
"""
