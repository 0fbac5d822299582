"""Writing of payloads: samples, sleep, exercise and the rollups that follow from them."""
