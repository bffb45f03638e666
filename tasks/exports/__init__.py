"""Recorded runs in other programs' formats: scripts that run, rows for training and scoring, films."""
