"""A checkpoint on the Hugging Face Hub: what it consists of, and its files, a piece at a time and checked.

The library of the Hub starts an interrupted file again from its first byte. Weights come in files of 5 GB, so here what
came is kept beside the file's place (`.part`) and the next call asks for the rest.
"""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..envs import EnvError
from ..model import BadCheckpoint, NotEnoughDisk
from .errors import BadRequest

PUBLISHED = {
    "instruct": "moonshotai/Kimi-VL-A3B-Instruct",
    "thinking": "moonshotai/Kimi-VL-A3B-Thinking",
    "thinking-2506": "moonshotai/Kimi-VL-A3B-Thinking-2506",
}
NEEDED = (  # of a repository's files those that are read, here or by transformers
    "config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json",
    "tokenizer_config.json", "special_tokens_map.json", "tiktoken.model", "chat_template.jinja", "chat_template.json",
    "model.safetensors.index.json",
)  # fmt: skip
_WEIGHTS = re.compile(r"[^/]+\.safetensors")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_CHUNK_BYTES = 1 << 22
ADDRESS = "https://huggingface.co"


class NoHub(EnvError):
    """The Hub cannot be reached, does not let this user in, or does not answer as it should."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository. Large files have a `sha256`, all others the `git_sha1` of their content."""

    name: str
    size_bytes: int
    sha256: str | None
    git_sha1: str | None

    @property
    def digest(self) -> str:
        return self.sha256 or self.git_sha1 or ""

    @property
    def is_weights(self) -> bool:
        return _WEIGHTS.fullmatch(self.name) is not None


@dataclass(frozen=True)
class HubCheckpoint:
    """A repository at one commit: its small files, then the weights."""

    repo: str
    commit: str
    files: tuple[HubFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def repo_of(name: str) -> str:
    """The repository that a name of PUBLISHED stands for, or that is named. BadRequest for neither."""
    if name in PUBLISHED:
        return PUBLISHED[name]
    if name == "nano":
        raise BadRequest("nano is in the package: there is nothing to download, give it as --model nano")
    if not _REPO.fullmatch(name):
        raise BadRequest(
            f"{name!r} is neither one of {', '.join(PUBLISHED)} nor a repository such as {PUBLISHED['instruct']}"
        )
    return name


class Hub:
    """The Hub at an address, for one user."""

    def __init__(self, endpoint: str | None = None, token: str | None = None) -> None:
        """Without `endpoint` the Hub itself; without `token` the one that was stored by `hf auth login`, if any.

        NoHub where its library is not installed.
        """
        try:
            import huggingface_hub
        except ImportError as error:
            raise NoHub("checkpoints come through huggingface_hub: pip install 'moonhand[download]'") from error
        self._hub = cast("Any", huggingface_hub)
        self.endpoint = (endpoint or ADDRESS).rstrip("/")
        self._token = token or self._hub.get_token() or False

    def look_up(self, repo: str, revision: str | None = None) -> HubCheckpoint:
        """What is there. BadRequest for an unknown repository or revision, and one that holds no checkpoint; NoHub."""
        api = self._hub.HfApi(endpoint=self.endpoint, token=self._token)
        with self._explained(repo, revision):
            info: Any = api.model_info(repo, revision=revision, files_metadata=True)
        files = [_hub_file(each) for each in info.siblings or () if _is_needed(each.rfilename)]
        names = {file.name for file in files}
        if "config.json" not in names or not any(file.is_weights for file in files):
            raise BadRequest(
                f"{repo} holds no checkpoint: there is no "
                f"{'config.json' if 'config.json' not in names else 'file of weights (.safetensors)'}"
            )
        return HubCheckpoint(repo, info.sha, tuple(sorted(files, key=lambda file: (file.is_weights, file.name))))

    def fetch(self, checkpoint: HubCheckpoint, file: HubFile, folder: Path, told: Callable[[int], None]) -> None:
        """Bring one file, or the rest of it; `told` hears of every piece how many bytes it had (less where the server
        began again). BadCheckpoint where its hash is another: what came is deleted. NotEnoughDisk, NoHub."""
        from huggingface_hub.file_download import http_get  # pyright: ignore[reportUnknownVariableType]
        from huggingface_hub.utils import build_hf_headers

        part = part_of(folder, file)
        if part.exists() and part.stat().st_size > file.size_bytes:
            part.unlink()
        url = self._hub.hf_hub_url(checkpoint.repo, file.name, revision=checkpoint.commit, endpoint=self.endpoint)
        with self._explained(checkpoint.repo, checkpoint.commit), part.open("ab") as out:
            cast("Any", http_get)(
                url,
                _Told(out, told),
                resume_size=out.tell(),
                headers=build_hf_headers(token=self._token),
                expected_size=file.size_bytes,
                displayed_filename=file.name,
            )
        if why := why_damaged(part, file):
            part.unlink()
            raise BadCheckpoint(f"{file.name} of {checkpoint.repo} {why}; it was deleted: give the same command again")
        part.replace(folder / file.name)

    @contextmanager
    def _explained(self, repo: str, revision: str | None) -> Generator[None]:
        from huggingface_hub import errors

        known = cast("Any", errors)
        again = "; the same command goes on where it stopped"
        try:
            yield
        except known.GatedRepoError as error:
            raise NoHub(
                f"{repo} is open only to those who accepted its terms: do so at {self.endpoint}/{repo}, then "
                "`hf auth login`, or set HF_TOKEN"
            ) from error
        except known.RevisionNotFoundError as error:
            raise BadRequest(f"{repo} has no revision {revision!r}: leave --revision out for the newest") from error
        except known.HfHubHTTPError as error:
            status = getattr(error.response, "status_code", None)
            if isinstance(error, known.RepositoryNotFoundError) or (status == 401 and not self._token):
                raise BadRequest(
                    f"{self.endpoint} shows no repository {repo}: check the name; a private one needs `hf auth login` "
                    "or HF_TOKEN"
                ) from error
            if status in (401, 403):
                raise NoHub(
                    f"{self.endpoint} refuses this user (status {status}): `hf auth login`, or mend HF_TOKEN"
                ) from error
            raise NoHub(f"{self.endpoint} answers with status {status}: try later{again}") from error
        except known.OfflineModeIsEnabled as error:
            raise NoHub("HF_HUB_OFFLINE is set: unset it, or copy the folder from another machine") from error
        except (known.HTTPError, OSError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise NotEnoughDisk(f"the disk is full: make room{again}") from error
            why = str(error).partition("\n")[0] or type(error).__name__
            raise NoHub(
                f"{self.endpoint} cannot be reached ({why}): go online, or set HF_ENDPOINT to a mirror{again}. Without "
                "a network, copy the folder from a machine that has one and give it as --model DIR"
            ) from error


def missing_bytes(checkpoint: HubCheckpoint, folder: Path) -> int:
    """What is still to come, after what a folder holds, in whole files and in parts."""
    return checkpoint.size_bytes - sum(_there_bytes(file, folder) for file in checkpoint.files)


def require_room(needed_bytes: int, folder: Path, free_bytes: int | None = None) -> int:
    """Free bytes of the folder's disk. NotEnoughDisk where they do not take what is needed."""
    free = free_disk_bytes(folder) if free_bytes is None else free_bytes
    if needed_bytes > free:
        raise NotEnoughDisk(
            f"{needed_bytes / 1e9:.1f} GB are still to come and the disk of {folder} has {free / 1e9:.1f} GB free: "
            "make room, or name a folder on another disk with --to"
        )
    return free


def free_disk_bytes(folder: Path) -> int:
    """Of the disk that the folder is on, or would be."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free


def why_damaged(path: Path, file: HubFile) -> str | None:
    """What of a file's content is not as the Hub has it; None: nothing."""
    size = path.stat().st_size
    if size != file.size_bytes:
        return f"has {size:,} bytes, not {file.size_bytes:,}"
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
    if file.digest and digest.hexdigest() != file.digest:
        return f"has the {digest.name} hash {digest.hexdigest()}, not {file.digest}"
    return None


def part_of(folder: Path, file: HubFile) -> Path:
    return folder / f"{file.name}.part"


def _there_bytes(file: HubFile, folder: Path) -> int:
    whole, part = folder / file.name, part_of(folder, file)
    if whole.exists() and whole.stat().st_size == file.size_bytes:
        return file.size_bytes
    return min(part.stat().st_size, file.size_bytes) if part.exists() else 0


def _is_needed(name: str) -> bool:
    return name in NEEDED or _WEIGHTS.fullmatch(name) is not None


def _hub_file(sibling: Any) -> HubFile:
    lfs: Mapping[str, Any] | None = sibling.lfs
    return HubFile(sibling.rfilename, int(sibling.size), None if lfs is None else lfs["sha256"], sibling.blob_id)


class _Told:
    """A file that says how many bytes are written to it."""

    def __init__(self, file: BinaryIO, told: Callable[[int], None]) -> None:
        self._file = file
        self._told = told

    def write(self, content: bytes) -> int:
        written = self._file.write(content)
        self._told(written)
        return written

    def truncate(self) -> int:
        before = self._file.seek(0, 2)
        kept = self._file.truncate(0)  # the server sends all of it again
        self._told(kept - before)
        return kept

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
