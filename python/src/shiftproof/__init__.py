"""Programs for shiftproof: metrics, tasks and models in Python.

Each ``serve_…`` function reads one JSON object a line from standard input, hands it to
a function of yours, and writes one JSON object a line to standard output, until the
input ends. What a study says to start such a program is in the documentation of
``[metric]``, ``kind = "command"`` and ``model = "command:…"``.
"""

from ._lines import (
    Answered,
    Asked,
    Call,
    Message,
    Text,
    Unavailable,
    Unreadable,
    serve_metric,
    serve_model,
    serve_task,
)

__all__ = [
    "Answered",
    "Asked",
    "Call",
    "Message",
    "Text",
    "Unavailable",
    "Unreadable",
    "serve_metric",
    "serve_model",
    "serve_task",
]
