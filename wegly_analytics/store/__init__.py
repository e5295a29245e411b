"""A published folder: its manifest, its Parquet files, the engines that query them. Knows tables, not `Snapshot`."""
