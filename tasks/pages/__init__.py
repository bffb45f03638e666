"""Web pages shown by Chromium with the boxes of what is on them: some to learn from, others held out."""
