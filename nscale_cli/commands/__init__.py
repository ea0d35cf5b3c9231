"""The commands: each file parses one command line and hands over to a run function."""
