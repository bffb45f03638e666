"""How samples reach a model: one after the other here, by worker processes, or by the actors of a Ray cluster."""
