"""A landscape to try: a trading company, invented, in five kinds of input."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from levada.landscape.mapping import Mapped, map_folders

__all__ = ["copy", "sample"]


def sample() -> Mapped:
    """The sample, read as any folder is."""
    with as_file(files("levada.landscape.sample").joinpath("exports")) as folder:
        return map_folders([folder])


def copy(to: Path) -> Path:
    """Copy the sample's files into a new folder ``to``."""
    from shutil import copytree

    with as_file(files("levada.landscape.sample").joinpath("exports")) as folder:
        copytree(folder, to)
    return to
