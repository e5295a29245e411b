"""The `wegly` command: one file per family of commands. Each is thin; the work is done elsewhere.

Heavy libraries are imported inside the commands, so that `wegly --help` and shell completion start at once.
"""
