"""Generator of synthetic participants, deterministic, for the demo trial and the benchmarks.

`profiles` draws the participant, `calendar` when their days begin, `nights` the sleep, `wear` when the device is on
the wrist, `physiology` what it measures, `days` puts a day together. The same seed, number and date always give the
same bytes (with the same NumPy), whichever other days were made before.
"""
