"""overbudget audit."""

from pathlib import Path

from overbudget.analysis.health.audit import audit
from overbudget.app.text.audit import audit_blocks
from overbudget.app.text.json_text import json_text
from overbudget.app.text.terminal import show
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError


def run(dataset: Path, stitch: bool, by_conversation: bool, to: Path | None, as_json: bool) -> None:
    """Print what is wrong with the traces; with `stitch`, after joining those that were cut apart."""
    if to is not None and not stitch:
        raise OverbudgetError("--to says where the stitched dataset goes; it needs --stitch.")
    if by_conversation and not stitch:
        raise OverbudgetError("--by conversation says what is joined too; it needs --stitch.")
    stitched = None
    if stitch:
        from overbudget.ingest.rewrite.stitch import stitch as join

        stitched = join(dataset, to, by_conversation)
    found = audit(open_dataset(to or dataset))
    if as_json:
        extra = {} if stitched is None else {"stitched": stitched}
        print(json_text({**extra, **found.as_dict()}))
    else:
        show(audit_blocks(found, stitched))
