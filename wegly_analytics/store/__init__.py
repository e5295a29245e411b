"""A published folder: manifest, Parquet files, engines. Knows tables, knows no Snapshot."""
