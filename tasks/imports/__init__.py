"""Other programs' recordings as trajectories. Files are read, never executed, and nothing is unpacked to the disk."""
