"""``python -m levada``: the command line, where no ``levada`` is on the path."""

from levada.cli import main

main()
