"""Does anything get lost or doubled, or go unseen, while its servers and programs fail one after the other?

    python -m benchmarks.chaos [--participants 50] [--days 2] [--quick] [--only NAME ...]

A whole installation of its own: PostgreSQL, Redis, two web servers, two workers, the exports' worker, two schedulers,
the simulator that plays the vendor, and Prometheus with the product's own rules where it is installed. Participants
are pulled without pause. Each outage in turn is made, watched from outside (health, a page, the API, alerts) and
ended. At last the simulated clock is stopped and the store compared with the simulator's ground truth row for row, the
audit trail verified and each export that was asked for looked at. Exit status 1 where something is lost, doubled or
unseen.

What takes minutes in production is made short, by one factor where it can be: see `installation.QUICK` and
`alarms.FACTOR`.
"""
