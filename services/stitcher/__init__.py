"""Joins the clips of a job into one MP4."""
