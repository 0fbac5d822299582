"""Pages of exports: ask, watch, download."""
