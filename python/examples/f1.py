"""A metric: F1 of the words of answer and label. `[metric] command = "python3 f1.py"`."""

from collections import Counter

from shiftproof import Answered, Unreadable, serve_metric


def token_f1(case: Answered) -> float:
    said, truth = (str(text).lower().split() for text in (case.answer, case.label))
    if not said:
        raise Unreadable("the answer is empty")
    shared = sum((Counter(said) & Counter(truth)).values())
    return 2 * shared / (len(said) + len(truth))


if __name__ == "__main__":
    serve_metric(token_f1)
