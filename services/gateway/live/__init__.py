"""What the page shows as it happens, as server-sent events."""
