"""Selection of the values that count: by collection interval, plausible range and source."""
