"""The `wegly` command: one file per family of commands. They contain only what a command line needs.

Slow imports are deferred, so that `wegly --help` and shell completion start fast: names of `wegly_analytics` itself are
loaded at their first use, and all others are imported inside the commands.
"""
