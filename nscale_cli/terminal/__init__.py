"""The terminal, the signals, the time: what a command is given from outside."""
