"""Links that leave docs/ work in the site as they do in the repository: what they name becomes part of it.

README.md becomes the page readme.md; any other file lies under repository/, Markdown as a page and the rest as it is.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file of the repository that a page names, and what those name in turn."""
    root = Path(config.docs_dir).parent
    waiting = ["README.md", *(_in_repository(file.src_uri) for file in files.documentation_pages())]
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        uri = _in_site(name)
        if files.get_file_from_path(uri) is None:
            files.append(File.generated(config, uri, abs_src_path=str(root / name)))
        if name.endswith(".md"):
            found = set(_targets((root / name).read_text(encoding="utf-8"), name)) - seen
            found = {one for one in found if (root / one).is_file()}
            seen |= found
            waiting += sorted(found)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point each link to where its file lies in the site. One that names no file is left, and fails a strict build."""
    here = page.file.src_uri
    folder, root = posixpath.dirname(_in_repository(here)), Path(config.docs_dir).parent

    def moved(link: re.Match[str]) -> str:
        start, target, anchor = link.groups(default="")
        name = posixpath.normpath(posixpath.join(folder, target))
        if not (root / name).is_file():
            return link.group()
        return start + posixpath.relpath(_in_site(name), posixpath.dirname(here) or ".") + anchor

    return LINK.sub(moved, markdown)


def _targets(markdown: str, name: str) -> list[str]:
    folder = posixpath.dirname(name)
    return [posixpath.normpath(posixpath.join(folder, link.group(2))) for link in LINK.finditer(markdown)]


def _in_site(name: str) -> str:
    """docs/replay.md is replay.md."""
    if name == "README.md":
        return "readme.md"
    return name.removeprefix("docs/") if name.startswith("docs/") else f"repository/{name}"


def _in_repository(uri: str) -> str:
    if uri == "readme.md":
        return "README.md"
    return uri.removeprefix("repository/") if uri.startswith("repository/") else f"docs/{uri}"
