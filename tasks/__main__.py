"""`python -m moonhand.tasks` is `moonhand`."""

from .cli import main

if __name__ == "__main__":
    main()
