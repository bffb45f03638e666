"""What can go wrong with a model, its files and its input.

ModelError
    BadConfig        config.json or preprocessor_config.json: unreadable, unknown fields, another architecture
    BadTokenizer     tiktoken.model or tokenizer_config.json: unreadable, incomplete, contradictory
    BadCheckpoint    safetensors files: unreadable, or tensors unknown, missing, filled twice, of another shape
    BadImage         a picture the processor cannot take
    NotEnoughMemory  the weights would not fit this machine or device; checked before any of them is read
    NotEnoughDisk    a checkpoint to be written would not fit its disk, or could not be written
    ContextTooLong   the prompt and the reply asked for do not fit the model's context
    NoDevice         the device or dtype asked for is not available here
    QueueFull        more requests wait for their turn than a scheduler keeps
    Cancelled        a request was given up before its reply was whole
    BadGrammar       a grammar that is none, allows no text at all, or cannot be sent to a server
    MissingExtra     a package that an extra of moonhand brings is not installed
    NoRemote         a server: not there, not serving the model, refusing the key, giving up, answering nonsense
        RemoteRefused    it does not take the request (status 400 to 499)
        RemoteTimedOut   no reply within the time allowed
"""

from __future__ import annotations


class ModelError(Exception):
    """Anything this package refuses to do because of what it was given."""


class BadConfig(ModelError):
    """A configuration file is not one of a Kimi-VL this runtime implements."""


class BadTokenizer(ModelError):
    """The vocabulary files cannot be used."""


class BadCheckpoint(ModelError):
    """The weight files cannot be used."""


class NotEnoughMemory(ModelError):
    """The model is larger than the memory that is free; raised before any work is done."""


class NotEnoughDisk(ModelError):
    """The checkpoint cannot be written where it was to go; nothing of it is left there."""


class BadImage(ModelError):
    """The picture cannot be preprocessed."""


class ContextTooLong(ModelError):
    """The request would pass the model's last position; raised before any work is done.

    `problem` is what is too long; `remedy`, in the words of whoever raises it, what to do about that.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}: {remedy}" if remedy else problem)
        self.problem = problem


class NoDevice(ModelError):
    """The device or number format asked for does not work on this machine."""


class QueueFull(ModelError):
    """Too many requests wait already; none of this one's work was begun. Ask again later."""


class Cancelled(ModelError):
    """The request was cancelled, or who was to answer it closed."""


class BadGrammar(ModelError, ValueError):
    """The text is no grammar, no reply can follow it, or a server cannot be told."""


class NoRemote(ModelError):
    """The server at an `openai:` address does not answer as it should; the message names the address and what to do."""


class MissingExtra(ModelError):
    """A package that is installed with an extra is not there; the message has the command."""


class RemoteRefused(NoRemote):
    """The server is there and does not take the request."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class RemoteTimedOut(NoRemote):
    """The server took the request and no reply came within the time allowed."""
