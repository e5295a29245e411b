"""The `wegly` command: one file per family of commands. Each is thin; the work is done elsewhere.

Nothing heavy is imported before a command needs it, so that `wegly --help` and shell completion start at once: names of
`wegly_analytics` itself are loaded at their first use, and all others are imported inside the commands.
"""
