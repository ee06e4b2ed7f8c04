"""overbudget audit."""

import json
from pathlib import Path

from analysis.audit import audit
from app.report.audit_text import print_audit
from store.dataset import open_dataset


def run(dataset: Path, as_json: bool) -> None:
    """Print what is wrong with the traces."""
    found = audit(open_dataset(dataset))
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        print_audit(found)
