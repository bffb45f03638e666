"""A trajectory as one HTML page that needs nothing else: no server, no network, no other file."""

from .page import Written, check_place, write_page

__all__ = ["Written", "check_place", "write_page"]
