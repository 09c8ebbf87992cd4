"""The local renderer: generative stills and lyric clips without a key or a network.

Both functions are synchronous, take and return only what JSON can say, and are
meant to run in a child process that may be killed at any moment: a file appears
whole under its name or not at all.
"""
