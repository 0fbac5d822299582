"""Error pages, and what is said while the database is away."""
