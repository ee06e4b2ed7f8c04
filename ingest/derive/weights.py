"""How many requests each one stands for, where the user gives the sampling probability of a dump."""

import duckdb


def weigh_as_said(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the requests of dumps with a given sampling probability the weight 1 / probability.

    What spans record about their own sampling takes precedence.
    """
    connection.execute(
        """UPDATE requests SET weight = 1 / i.probability
           FROM (SELECT source_id, try_cast(sampled AS DOUBLE) AS probability FROM ingest_report) i
           WHERE requests.source_id = i.source_id AND i.probability < 1 AND weight = 1"""
    )
