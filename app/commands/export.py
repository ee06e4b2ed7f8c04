"""overbudget export."""

from pathlib import Path

from overbudget.store.export import export_parquet


def run(dataset: Path, folder: Path) -> None:
    """Write the relations as Parquet and say which files there are now."""
    for path in export_parquet(dataset, folder):
        print(path)
