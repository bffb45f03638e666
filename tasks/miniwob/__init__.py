"""MiniWoB++ episodes: pages, an oracle, samples to learn from, and nano playing."""
