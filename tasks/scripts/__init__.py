"""Scripts: YAML that says what to do on a screen, and what must be true of it.

read        a file becomes a `Script`, with every error at its line
known       are all variables known, before anything is started
runner      a script carried out, step by step; hands does what touches the screen
cache       where each thing was found, so that the next run needs no model; memory looks for it again
command     several scripts, each on a fresh page; junit and page tell machines and people what came of them
"""

from .read import load_script, parse_script
from .tree import Check, Node, Script

__all__ = ["Check", "Node", "Script", "load_script", "parse_script"]
