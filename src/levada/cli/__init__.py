"""The command line: ``levada VERB``. One module a verb, imported when it is called."""

from levada.cli.main import main

__all__ = ["main"]
