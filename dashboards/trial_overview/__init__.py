"""A trial's page: its participants filtered, paged and downloaded; adherence; background jobs."""
