"""Reads Trefoil's tables with DuckDB and with Polars, as they are, and prints what they hold.

    read_tables.py DIRECTORY_OF_TABLES
"""

import json
import pathlib
import sys

import duckdb
import duckdb_extension_delta
import polars

tables = pathlib.Path(sys.argv[1])


def with_duckdb():
    # The extension comes as a package of its own, so nothing is downloaded here; elsewhere
    # `INSTALL delta; LOAD delta` does the same.
    home = pathlib.Path(duckdb_extension_delta.__file__).parent / "extensions"
    connection = duckdb.connect()
    connection.execute(f"LOAD '{home / f'v{duckdb.__version__}' / 'delta.duckdb_extension'}'")

    def rows(sql):
        return [list(row) for row in connection.execute(sql).fetchall()]

    return {
        "spans": rows(
            f"""SELECT service, count(*)::BIGINT, sum(duration_ns)::BIGINT,
                sum("attributes.http.status_code")::BIGINT
                FROM delta_scan('{tables}/spans') GROUP BY 1 ORDER BY 1"""
        ),
        "logs": rows(
            f"""SELECT service, count(*)::BIGINT, max(body)
                FROM delta_scan('{tables}/logs') GROUP BY 1 ORDER BY 1"""
        ),
    }


def with_polars():
    column = polars.col

    def rows(table, *aggregates):
        frame = polars.scan_delta(str(tables / table)).group_by("service").agg(*aggregates)
        return [list(row) for row in frame.sort("service").collect().rows()]

    return {
        "spans": rows(
            "spans",
            polars.len().cast(polars.Int64),
            column("duration_ns").sum(),
            column("attributes.http.status_code").sum(),
        ),
        "logs": rows("logs", polars.len().cast(polars.Int64), column("body").max()),
    }


json.dump({"duckdb": with_duckdb(), "polars": with_polars()}, sys.stdout)
