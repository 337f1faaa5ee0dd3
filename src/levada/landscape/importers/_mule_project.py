"""Where a Mule project is and what it is called."""

from __future__ import annotations

import re

from levada.landscape.importers.protocol import Context, Malformed

__all__ = ["artifact", "pattern", "project_folder"]


def project_folder(source: str) -> str:
    """The folder of the project that a file belongs to."""
    for mark in ("/src/main/", "/src/"):
        if mark in f"/{source}":
            return (
                f"/{source}".rpartition(mark)[0].strip("/")
                if mark == "/src/"
                else f"/{source}".partition(mark)[0].strip("/")
            )
    # An application as it is deployed keeps some of its files under `classes`.
    return source.rpartition("/")[0].removesuffix("/classes")


def artifact(folder: str, context: Context) -> str:
    """The artifact's id of the project's ``pom.xml``, else the folder's name."""
    for file in context.within(folder):
        if file.name == "pom.xml":
            try:
                root = file.xml
            except Malformed:
                break  # told as a finding by the reader of that file
            name = root.text_of("artifactId")
            if name and "${" not in name:
                return name
    if folder:
        return folder.rpartition("/")[2]
    return next((f.root.name for f in context.files.values()), "mule-app")


def pattern(name: str) -> str:
    """The files that a project means by the name of a settings file, which may have variable parts."""
    bare = name.replace("classpath:", "").lstrip("/")
    parts = re.split(r"\$\{[^}]*\}|\*", bare)
    return r"(^|/)" + r"[^/]*".join(re.escape(p) for p in parts) + r"$"
