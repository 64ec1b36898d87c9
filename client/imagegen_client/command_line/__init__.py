"""The command line `imagegen`; docs/command-line.md describes it."""
