"""Exchange encodings: a frame -> bytes of one format. One file a format."""
