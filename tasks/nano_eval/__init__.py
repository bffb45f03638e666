"""What nano is measured by, on what it has never seen: `python -m moonhand.tasks.nano_eval`."""
