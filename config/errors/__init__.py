"""Error pages, and the 503 while the database is away."""
