"""Metrics in Prometheus' text format: as much of it as a few known names need."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+\d+)?\s*")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    """One value with its labels."""

    name: str
    labels: dict[str, str]
    value: float


class Metrics:
    """The samples of one server."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._by_name: dict[str, list[Sample]] = {}
        for sample in samples:
            self._by_name.setdefault(sample.name, []).append(sample)

    def one(self, name: str) -> float | None:
        """A metric's value, that of all stores together; None when there is none."""
        samples = self._by_name.get(name)
        return sum(sample.value for sample in samples) if samples else None

    def by(self, name: str, label: str) -> dict[str, float]:
        """A metric's values by a label."""
        return {sample.labels.get(label, ""): sample.value for sample in self._by_name.get(name, ())}

    def starting(self, prefix: str) -> dict[str, float]:
        """All metrics whose names start so, by name."""
        return {name: samples[0].value for name, samples in self._by_name.items() if name.startswith(prefix)}

    def label(self, name: str) -> str:
        """The first value that any sample has for a label; empty for none."""
        return next(
            (found for samples in self._by_name.values() for sample in samples if (found := sample.labels.get(name))),
            "",
        )


def parse(text: str) -> Metrics:
    """Reads a page of metrics; what is no sample is passed over."""
    samples = []
    for line in text.splitlines():
        if line.startswith("#") or (match := _SAMPLE.fullmatch(line)) is None:
            continue
        name, labels, value = match.groups()
        try:
            samples.append(Sample(name, dict(_LABEL.findall(labels or "")), float(value)))
        except ValueError:
            continue
    return Metrics(samples)
