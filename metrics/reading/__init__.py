"""Reading of measured values: series by buckets, raw samples, summaries."""
