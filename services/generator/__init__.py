"""Plans a song and makes one clip per segment."""
