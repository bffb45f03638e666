"""Screens that nano learns from: what a sample is, and a renderer of any number of them."""
