"""The three services; they meet in `refrain` and never import each other."""
