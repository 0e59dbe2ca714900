"""Two neighbouring tables down the whole path with the same noise: whatever else differs is a hole in the promise."""
