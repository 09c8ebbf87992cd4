"""The command line: refrain up, create, watch, cancel, list, show, download."""
