"""Prices of a way to store: what a payload costs whatever its size, and what each row adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Price:
    """`fixed`: seconds a payload; `row`: seconds a row."""

    fixed: float
    row: float


def price(rows: list[int], seconds: list[float]) -> Price:
    """The line through payloads of different sizes, by the medians of Theil and Sen.

    A row's price is the median of the slopes between all pairs of payloads that differ in size by a tenth or more; the
    fixed price is the median of what is left of each. A few payloads during which the machine did something else do not
    move it. With one size only there is nothing to tell apart: the fixed price is then nan.
    """
    x, y = np.array(rows, dtype=float), np.array(seconds)
    first, second = np.triu_indices(len(x), 1)
    wide = np.abs(x[first] - x[second]) > 0.1 * np.maximum(x[first], x[second])
    if not wide.any():
        return Price(float("nan"), float(np.median(y / x)))
    slopes = (y[first] - y[second])[wide] / (x[first] - x[second])[wide]
    slope = float(np.median(slopes))
    return Price(float(np.median(y - slope * x)), slope)
