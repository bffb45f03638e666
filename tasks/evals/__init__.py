"""Evaluations of grounding: samples from published suites, predictions of any model, verdicts, scores and reports."""
