"""The gateway's HTTP server: pages, guard, errors, files."""
