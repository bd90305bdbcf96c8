"""A whole task: what is sent, and what an answer is worth."""

import json
import sys


def render(row):
    rules = {"role": "system", "content": row["prompt"]}
    asked = {"role": "user", "content": f"[{row['group']}] {row['input']['question']}"}
    return {"messages": [rules, asked]}


def score(row):
    right = row["label"].lower() in row["answer"].lower()
    # A right answer that is long is worth less.
    return {"score": max(0.5, 1 - len(row["answer"].split()) / 100) if right else 0}


for line in sys.stdin:
    row = json.loads(line)
    answer = render(row) if row["do"] == "render" else score(row)
    print(json.dumps({"line": row["line"], **answer}), flush=True)
