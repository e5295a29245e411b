"""The `wegly` command."""
