"""The ``qa`` command's groups of subcommands, a file each."""
