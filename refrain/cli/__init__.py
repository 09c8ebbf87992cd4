"""The command line: `refrain up`, and a command for each thing to ask."""
