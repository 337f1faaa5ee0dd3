"""The command ``levada``, and ``python -m levada``: nothing is imported before Ctrl-C is waited for."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        from levada.cli import main as begin
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    begin()


if __name__ == "__main__":
    main()
