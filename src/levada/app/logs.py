"""What each log line says of the call that it was written in; ``levada run`` and ``levada up`` have it in their logs."""

from __future__ import annotations

import logging

from levada.app.context import told_of_call

__all__ = ["CallFields"]


class CallFields(logging.Filter):
    """Gives the records of a handler the fields ``trace``, ``operation``, ``run`` and ``step`` of the call under way.

    What a record says itself stays. Add it to the handler of your logs where another server serves the app:
    ``handler.addFilter(CallFields())``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, with what is known of its call."""
        for name, value in told_of_call().items():
            vars(record).setdefault(name, value)
        return True
