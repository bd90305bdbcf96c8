"""A metric: the share of the label's words that the answer names."""

import json
import sys


def score(row):
    said = row["answer"].lower().split()
    if not said:
        return {"unreadable": "the answer is empty"}
    wanted = row["label"].lower().split()
    words = {word.strip(".,!?") for word in said}
    return {"score": sum(word in words for word in wanted) / len(wanted)}


for line in sys.stdin:
    row = json.loads(line)
    try:
        answer = score(row)
    except Exception as error:  # One example fails; the run goes on.
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"line": row["line"], **answer}), flush=True)
