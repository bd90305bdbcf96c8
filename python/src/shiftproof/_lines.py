"""JSON lines between shiftproof and a function."""

import contextlib
import json
import sys
from dataclasses import dataclass, field, fields
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    TextIO,
    Type,
    TypeVar,
    Union,
)

Message = Mapping[str, str]
"""A message: ``role`` (system, user or assistant) and ``content``."""


class Unreadable(Exception):
    """An answer that has not the form asked for: it counts as wrong, and apart."""


class Unavailable(Exception):
    """Not now: the command stops, nothing is stored, and it can be gone on with."""


@dataclass(frozen=True)
class Asked:
    """An input and the prompt that is asked about it."""

    id: str
    """The example's name."""
    group: str
    """Its group."""
    input: Mapping[str, str]
    """Its fields by name."""
    prompt: str
    """The prompt's instruction."""
    demonstrations: List[Mapping[str, str]] = field(default_factory=list)
    """The prompt's worked examples, each with ``input`` and ``answer``."""


@dataclass(frozen=True)
class Answered(Asked):
    """An example and the answer to it."""

    answer: Any = None
    """What the task reads from the reply: a label, a number, a list, a text."""
    reply: str = ""
    """The reply as the model gave it."""
    label: Any = None
    """The truth; ``None`` where there is none or the study says ``reference = false``."""


@dataclass(frozen=True)
class Call:
    """A question to a model."""

    messages: List[Message]
    """The conversation, oldest first."""
    max_tokens: int = 0
    """Tokens of the answer at most."""
    temperature: float = 0.0
    """0 asks for the likeliest answer."""
    sample: int = 0
    """Which of several answers to the same question this is to be."""
    labels: Optional[List[str]] = None
    """The closed set of answers, where there is one."""


@dataclass(frozen=True)
class Text:
    """A model's answer with what is known of it."""

    text: str
    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    finish: Optional[str] = None
    """``"length"`` or ``"filtered"`` where the text did not end by itself."""


Score = Union[float, int, bool]
Row = Dict[str, Any]


def serve_metric(score: Callable[[Answered], Score]) -> None:
    """Scores answers, each with a number in 0 to 1, until the input ends."""
    _serve(lambda row: _scored(score(_known(Answered, row))))


def serve_task(
    render: Optional[Callable[[Asked], Union[str, List[Message]]]] = None,
    score: Optional[Callable[[Answered], Score]] = None,
) -> None:
    """Makes requests and scores answers, as far as there is a function for it.

    The study names what there is: ``does = ["render", "score"]``.
    """

    def answer(row: Row) -> Row:
        wanted = row.get("do")
        if wanted == "render" and render is not None:
            return {"messages": render(_known(Asked, row))}
        if wanted == "score" and score is not None:
            return _scored(score(_known(Answered, row)))
        raise ValueError(f"the study asks to {wanted}, and there is no function for it")

    _serve(answer)


def serve_model(answer: Callable[[Call], Union[str, Text]]) -> None:
    """Answers in place of a model, until the input ends."""

    def answered(row: Row) -> Row:
        given = answer(_known(Call, row))
        if isinstance(given, str):
            given = Text(given)
        told: Row = {"text": given.text}
        if given.prompt_tokens is not None and given.completion_tokens is not None:
            told["usage"] = {
                "prompt_tokens": given.prompt_tokens,
                "completion_tokens": given.completion_tokens,
            }
        if given.finish is not None:
            told["finish"] = given.finish
        return told

    _serve(answered)


Kind = TypeVar("Kind", Asked, Answered, Call)


def _known(kind: Type[Kind], row: Row) -> Kind:
    """The keys that are known here; later versions may send more."""
    names = [one.name for one in fields(kind)]
    return kind(**{name: row[name] for name in names if name in row})


def _scored(score: Score) -> Row:
    if isinstance(score, bool):
        return {"score": score}
    value = float(score)
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"the score is {value}; it has to lie in 0 to 1")
    return {"score": value}


def _serve(
    answer: Callable[[Row], Row],
    source: Optional[TextIO] = None,
    sink: Optional[TextIO] = None,
) -> None:
    source = source or sys.stdin
    sink = sink or sys.stdout
    for line in source:
        row: Row = {}
        try:
            row = json.loads(line)
            # A stray print would be taken for an answer.
            with contextlib.redirect_stdout(sys.stderr):
                told = answer(row)
        except Unreadable as reason:
            told = {"unreadable": str(reason)}
        except Unavailable as reason:
            told = {"unavailable": str(reason)}
        except Exception as error:  # This example fails; the others do not.
            told = {"error": f"{type(error).__name__}: {error}"}
        if "line" in row:
            told = {"line": row["line"], **told}
        sink.write(json.dumps(told) + "\n")
        sink.flush()
