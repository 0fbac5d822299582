"""Markers of missing values: what formats write where nothing was measured. One list, which every decoder uses.

A marker is no measurement: it is skipped and counted. A number that no marker is and no body can have is kept; that it
counts for nothing is the matter of metrics.selection.plausible_range.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from ingestion.providers.text_cells import Mask
from metrics.batch import Values
from metrics.registry import metric

NO_VALUE = "no value"  # an empty cell, a null, NaN
ZERO = "0 marks a missing value"
MINUS_ONE = "-1 marks a missing value"
HALF = "50.0 % marks an invalid reading"


def present(code: str, values: Values, skipped: Counter[str]) -> Mask:
    """Mask of a metric's values that are measurements; the others are counted as skipped by reason, each once.

    `values`: as the vendor wrote them, before any factor, NaN where there is none. Zero marks a missing value where
    it can be no measurement, -1 where nothing can lie below zero. Raises KeyError for an unknown metric.
    """
    lowest = metric(code).plausible[0]
    markers = [(np.isnan(values), NO_VALUE)]
    if lowest > 0:
        markers.append((values == 0.0, ZERO))
    if lowest >= 0:
        markers.append((values == -1.0, MINUS_ONE))
    if code == "spo2":
        markers.append((values == 50.0, HALF))
    keep = np.ones(len(values), dtype=bool)
    for mask, reason in markers:
        if count := int(np.count_nonzero(mask & keep)):
            skipped[reason] += count
        keep &= ~mask
    return keep
