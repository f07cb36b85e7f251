"""What goes on for longer than a call: profiles that are added up, streams that are watched."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from trefoil import _frames, _native


class Profile:
    """Counters of a column between edges that a reference froze. Profiles of the same edges add up:
    of files, days and machines, in any order, exactly."""

    def __init__(self, native: Any) -> None:
        self._native = native

    @classmethod
    def fit(cls, reference: Any, bins: Any = 10) -> Profile:
        """Chooses edges from a column and counts it."""
        bins = bins if isinstance(bins, (int, str)) else [float(cut) for cut in bins]
        return cls(_native.Profile.fit(_frames.table(reference, "the reference"), bins))

    @classmethod
    def decode(cls, data: bytes) -> Profile:
        """Reads what `encode` wrote."""
        return cls(_native.Profile.decode(data))

    def encode(self) -> bytes:
        """The profile in its versioned compact form."""
        return self._native.encode()

    def empty(self) -> Profile:
        """A profile with these edges that has counted nothing."""
        return Profile(self._native.empty())

    def update(self, column: Any) -> Profile:
        """Counts a column; returns itself."""
        self._native.update(_frames.table(column, "the column"))
        return self

    def merge(self, other: Profile) -> Profile:
        """Adds what another profile of the same edges has counted; returns itself."""
        self._native.merge(other._native)
        return self

    def measure(self, reference: Profile, detector: str = "psi") -> Dict[str, float]:
        """Value, probability and effect against a reference's profile."""
        value, probability, effect = self._native.measure(reference._native, detector)
        return {"value": value, "probability": probability, "effect": effect}

    @property
    def rows(self) -> int:
        """Rows that were counted, missing ones included."""
        return self._native.rows

    @property
    def counts(self) -> List[int]:
        """Rows of each bin."""
        return self._native.counts

    @property
    def cuts(self) -> Optional[List[float]]:
        """The edges between bins of numbers."""
        return self._native.cuts

    @property
    def categories(self) -> Optional[List[str]]:
        """The names that bins of texts stand for."""
        return self._native.categories

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self._native.missing

    @property
    def nan(self) -> int:
        """Rows that are NaN."""
        return self._native.nan

    @property
    def mean(self) -> Optional[float]:
        """The mean of the finite values."""
        return self._native.mean

    @property
    def deviation(self) -> Optional[float]:
        """Their standard deviation."""
        return self._native.deviation

    def __repr__(self) -> str:
        return f"<trefoil.Profile of {self._native.rows} rows in {len(self._native.counts)} bins>"


class Sequential:
    """A detector of a change in a stream, value by value: `Sequential("adwin").update(x)`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._native = _native.Watch(name)

    def update(self, value: float) -> str:
        """Takes the next value; says "stable", "warning" or "drift"."""
        return self._native.update(float(value))

    def scan(self, values: Any) -> List[int]:
        """Takes a whole column; the rows at which it alarmed."""
        return self._native.scan(_frames.table(values, "the stream"))


def sequential_detectors() -> Dict[str, str]:
    """Names of the sequential detectors with their documentation."""
    return dict(_native.Watch.all())
