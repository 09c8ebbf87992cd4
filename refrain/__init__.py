"""What the services agree on: the job, its record, its protocol."""

from importlib.metadata import version

VERSION = version("refrain")
