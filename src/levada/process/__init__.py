"""Runs: durable handlers and operations, answered from their journal after a crash.

Workers, sinks and the operators' side are in `levada.process.worker`, `.sink`, `.start` and `.admin`.
"""

from levada.process import run
from levada.process._steps import await_step, call_step, current_core, publish_step

__all__ = ["await_step", "call_step", "current_core", "publish_step", "run"]
