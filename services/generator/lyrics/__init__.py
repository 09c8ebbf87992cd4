"""Lyrics that a job does not bring: from its audio file's tags, or from LRCLIB."""
