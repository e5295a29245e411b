"""Response bodies become Arrow tables: flattened in bulk, repaired one by one, compared with the documentation."""
