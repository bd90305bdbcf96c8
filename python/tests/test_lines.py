"""The module speaks as the program listens. Run: python -m unittest discover python/tests"""

import io
import json
import pathlib
import subprocess
import sys
import unittest

from shiftproof import Text, Unavailable, Unreadable, serve_metric, serve_model, serve_task

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
CASE = {"id": "a", "group": "g", "input": {"text": "t"}, "prompt": "p", "left": 0, "later": [1]}


def told(serve, *rows, **functions):
    """What a program answers to these rows."""
    source = io.StringIO("".join(json.dumps(row) + "\n" for row in rows))
    sink, (stdin, stdout) = io.StringIO(), (sys.stdin, sys.stdout)
    sys.stdin, sys.stdout = source, sink
    try:
        serve(*functions.pop("function", []), **functions)
    finally:
        sys.stdin, sys.stdout = stdin, stdout
    return [json.loads(line) for line in sink.getvalue().splitlines()]


class Lines(unittest.TestCase):
    def test_metric_scores_line_by_line(self):
        rows = [{**CASE, "line": n, "answer": answer, "label": "yes"} for n, answer in enumerate(["yes", "no"])]
        answers = told(serve_metric, *rows, function=[lambda case: case.answer == case.label])
        self.assertEqual(answers, [{"line": 0, "score": True}, {"line": 1, "score": False}])

    def test_one_failure_is_one_example(self):
        def score(case):
            print("a stray word")
            if case.answer == "boom":
                raise KeyError("boom")
            if case.answer == "":
                raise Unreadable("nothing there")
            if case.answer == "down":
                raise Unavailable("the service is down")
            return {"much": 1.5}.get(case.answer, 0.5)

        rows = [{**CASE, "line": n, "answer": a, "label": ""} for n, a in enumerate(["boom", "", "down", "much", "x"])]
        answers = told(serve_metric, *rows, function=[score])
        self.assertIn("KeyError", answers[0]["error"])
        self.assertEqual(answers[1], {"line": 1, "unreadable": "nothing there"})
        self.assertEqual(answers[2], {"line": 2, "unavailable": "the service is down"})
        self.assertIn("0 to 1", answers[3]["error"])
        self.assertEqual(answers[4], {"line": 4, "score": 0.5})

    def test_task_does_what_it_is_asked(self):
        rows = [{**CASE, "line": 1, "do": "render"}, {**CASE, "line": 2, "do": "score", "answer": "a", "label": "a"}]
        answers = told(serve_task, *rows, render=lambda case: f"{case.prompt}: {case.input['text']}")
        self.assertEqual(answers[0], {"line": 1, "messages": "p: t"})
        self.assertIn("asks to score", answers[1]["error"])

    def test_model_tells_its_tokens(self):
        row = {"line": 7, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "labels": ["a"]}
        answers = told(serve_model, row, row, function=[lambda call: Text(call.messages[-1]["content"], 3, 1, "length")])
        self.assertEqual(answers[0], {"line": 7, "text": "hi", "usage": {"prompt_tokens": 3, "completion_tokens": 1}, "finish": "length"})
        answers = told(serve_model, row, function=[lambda call: "yes"])
        self.assertEqual(answers, [{"line": 7, "text": "yes"}])

    def test_garbage_is_an_error_and_no_end(self):
        program = [sys.executable, str(EXAMPLES / "f1.py")]
        good = json.dumps({**CASE, "line": 2, "answer": "a b", "label": "b c"})
        ended = subprocess.run(program, input=f"garbage\n{good}\n", capture_output=True, text=True, check=True)
        first, second = (json.loads(line) for line in ended.stdout.splitlines())
        self.assertIn("JSONDecodeError", first["error"])
        self.assertEqual(second, {"line": 2, "score": 0.5})


if __name__ == "__main__":
    unittest.main()
