"""The report of an evaluation: one page that needs nothing, the same numbers as JSON and as Markdown."""
