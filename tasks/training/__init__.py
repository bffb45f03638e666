"""Training: nano from nothing, and any checkpoint on recorded trajectories."""
