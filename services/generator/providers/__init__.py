"""Providers: what makes the pictures and the clips of a segment."""
