"""A dataset as Parquet files, one per relation, for tools that read those."""

from pathlib import Path

import pyarrow.parquet as pq

from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.relations import RELATIONS

ROWS = 50_000


def export_parquet(dataset: Path, folder: Path) -> list[Path]:
    """Write RELATION.parquet for every relation into `folder`, each under a temporary name until it is whole.

    Column comments are kept as field metadata ("comment"). Rows stream, so memory stays bounded.

    Errors: OverbudgetError where the folder cannot be written.
    """
    connection = open_dataset(dataset)
    comments = dict(
        connection.execute(
            "SELECT table_name || '.' || column_name, comment FROM duckdb_columns() WHERE schema_name = 'main'"
        ).fetchall()
    )
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for relation in RELATIONS:
            target = folder / f"{relation}.parquet"
            part = folder / f".{relation}.parquet.part"
            try:
                reader = connection.sql(f"FROM {relation}").to_arrow_reader(ROWS)
                schema = reader.schema
                for index, field in enumerate(reader.schema):
                    comment = comments.get(f"{relation}.{field.name}")
                    schema = schema.set(index, field.with_metadata({"comment": comment or ""}))
                with pq.ParquetWriter(part, schema, compression="zstd") as writer:
                    for batch in reader:
                        writer.write_batch(batch.cast(schema))
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
            written.append(target)
    except OSError as error:
        raise OverbudgetError(f"Cannot write to {folder}: {error.strerror or error}.") from error
    return written
