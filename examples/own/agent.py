"""A model: a pipeline that looks facts up before it answers."""

import csv
import json
import pathlib
import sys

table = pathlib.Path(__file__).parent / "questions.csv"
with open(table, newline="", encoding="utf-8") as file:
    facts = {row["question"]: row["answer"] for row in csv.DictReader(file)}

for line in sys.stdin:
    row = json.loads(line)
    asked = "\n".join(message["content"] for message in row["messages"])
    found = [fact for question, fact in facts.items() if question in asked]
    brief = "one word" in asked or "briefly" in asked
    if not found:
        text = "I do not know."
    elif brief:
        text = found[0]
    else:
        text = f"That would be {found[0]}, as far as I know."
    usage = {"prompt_tokens": len(asked.split()), "completion_tokens": len(text.split())}
    print(json.dumps({"line": row["line"], "text": text, "usage": usage}), flush=True)
