"""The report of reading a dump: counts, and every warning by code, count and example."""

from dataclasses import dataclass, field


@dataclass
class DumpWarning:
    """One kind of warning: how often it occurred and what the first one looked like."""

    code: str
    count: int
    example: str


@dataclass
class FileReport:
    """What was read from one dump file; a reader adds to it as it goes.

    Codes are snake_case and stable (users grep for them); docs/reference/warnings.md lists them all with meaning and remedy.
    """

    source: str
    format: str = ""  # e.g. "OTLP JSON lines, gzip"
    bytes: int = 0  # as on disk
    spans: int = 0  # stored (after duplicates and rejected ones)
    requests: int = 0
    duplicates: int = 0
    rejected: int = 0
    sampled: str | None = None  # how its traces were sampled, as given by the user: a probability, or "tail"
    warnings: dict[str, DumpWarning] = field(default_factory=dict)

    def warn(self, code: str, example: str, count: int = 1) -> None:
        """Count a warning that costs no span. The first example is kept, as one line of at most 200 characters."""
        if count <= 0:
            return
        if code in self.warnings:
            self.warnings[code].count += count
        else:
            self.warnings[code] = DumpWarning(code, count, _one_line(example)[:200])

    def count_of(self, code: str) -> int:
        """How often a code was warned of so far."""
        return self.warnings[code].count if code in self.warnings else 0

    def take_back(self, code: str, count: int) -> None:
        """Some of what was warned of turned out to be of use."""
        if count > 0 and code in self.warnings:
            self.warnings[code].count -= count
            if self.warnings[code].count <= 0:
                del self.warnings[code]

    def reject(self, code: str, example: str, count: int = 1) -> None:
        """Count spans that cannot be kept (no usable ids, no start), as a warning `code`."""
        if count > 0:
            self.rejected += count
            self.warn(code, example, count)

    def absorb(self, other: "FileReport") -> None:
        """Add what another report of the same file counted."""
        self.rejected += other.rejected
        for warning in other.warnings.values():
            self.warn(warning.code, warning.example, warning.count)


class QuietReport(FileReport):
    """The report of a dump whose content is not to be shown: warnings quote nothing of it."""

    def warn(self, code: str, example: str, count: int = 1) -> None:
        super().warn(code, "not shown, because this ingest redacts", count)


def _one_line(text: str) -> str:
    """Text from a dump, safe within a sentence: no line breaks or control characters."""
    return "".join(char if char.isprintable() else "\ufffd" for char in " ".join(text.split()))
