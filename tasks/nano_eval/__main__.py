import typer

from .command import command

typer.run(command)
