"""The Snapshot: its tables, filters, completeness, quality rules, custom fields, privacy; save, load, scan."""
