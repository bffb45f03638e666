"""Where samples come from: a reader for each published layout."""
