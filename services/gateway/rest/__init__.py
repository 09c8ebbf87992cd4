"""The RPCs of JobService as JSON over HTTP."""
