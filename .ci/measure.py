#!/usr/bin/env python3
"""Measures of the code base: names, import circles, sizes, tests per line of code.

Usage: python3 .ci/measure.py [--circles] [--check] [FOLDER]

Counted are non-blank lines that are not comments. A file is test code where it
lies in a folder `tests` or `benches`, is called `tests*.rs` or `*_tests.rs`, and
from the `#[cfg(test)]` before its module of tests on. `--circles` names the files
of each circle; `--check` fails where names are below the house's measure, or files
import each other in a circle.
"""

import collections
import pathlib
import re
import sys

# At most these shares of type names may be one plain word, or stand twice.
MOST_PLAIN, MOST_TWICE = 0.30, 0.10
CRATES = ["tasks", "tasks/rec", "tasks/neural", "search", "search/select", "store", "store/postgres", "src/llm", "src"]
TYPE = re.compile(r"^\s*(?:pub(?:\([a-z: ]+\))? )?(?:struct|enum|trait|union) ([A-Z]\w*)")
FUNCTION = re.compile(r"^(\s*)(?:pub(?:\([a-z: ]+\))? )?(?:default )?(?:const )?(?:async )?(?:unsafe )?fn (\w+)")


def crate_of(path):
    """The innermost crate folder that holds the file."""
    parts = path.as_posix()
    return max((c for c in CRATES if parts.startswith(c + "/")), key=len, default="")


def is_test(path):
    return (
        bool({"tests", "benches", "examples", "fixture.rs"} & set(path.parts))
        or path.name == "build.rs"
        or re.match(r"tests.*\.rs$|.*_tests\.rs$", path.name) is not None
    )


def split_tests(lines):
    """The product's lines and those of the file's module of tests."""
    for at, line in enumerate(lines):
        if line.strip() == "#[cfg(test)]" and any("mod " in near for near in lines[at + 1 : at + 4]):
            return lines[:at], lines[at:]
    return lines, []


def code(lines):
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("//"))


def functions(lines):
    """Names and lengths of functions, found by their indentation (rustfmt's)."""
    at = 0
    while at < len(lines):
        found = FUNCTION.match(lines[at])
        if found:
            close = found.group(1) + "}"
            end = at
            while end < len(lines) and lines[end] != close:
                if end - at < 12 and lines[end].rstrip().endswith((";", "}")) and "{" not in "".join(lines[at:end]):
                    break
                end += 1
            yield found.group(2), end - at + 1
        at += 1


def module_of(path, root):
    """The module path of a file below its crate's root folder, as a tuple."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    if parts[-1] in ("mod", "lib", "main"):
        parts.pop()
    return tuple(parts)


def imports(text):
    """Paths named by `use crate::…`, `use super::…` and in expressions."""
    for head, tail in re.findall(r"\b(crate|(?:super::)*super|self)((?:::[a-z_]\w*)+|::\{)", text):
        if tail != "::{":
            yield head, tail.strip(":").split("::")
    for head, inner in re.findall(r"\buse (crate|(?:super::)*super)::\{([^;]*)\};", text):
        depth, word = 0, ""
        for char in inner + ",":
            if char == "{":
                depth += 1
            elif char == "}":
                depth -= 1
            if char == "," and depth == 0:
                first = word.strip().split("::")[0].split("{")[0].strip()
                if re.fullmatch(r"[a-z_]\w*", first):
                    yield head, [p.strip() for p in word.strip().split("{")[0].strip(": ").split("::")]
                word = ""
            else:
                word += char


def circles(files, root):
    modules = {module_of(path, root): path for path in files}
    edges = collections.defaultdict(set)
    for own, path in modules.items():
        product, _ = split_tests(path.read_text().splitlines())
        text = "\n".join(line for line in product if not line.strip().startswith("//"))
        for head, tail in imports(text):
            base = () if head == "crate" else own[: len(own) - head.count("super")] if head != "self" else own
            target = base + tuple(tail)
            while target and target not in modules:
                target = target[:-1]
            # A parent that names its children, or re-exports them, is no circle.
            kin = own[: len(target)] == target or target[: len(own)] == own
            if target in modules and not kin:
                edges[own].add(target)
    index, low, stack, on, found, counter = {}, {}, [], set(), [], [0]

    def connect(node):
        index[node] = low[node] = counter[0]
        counter[0] += 1
        stack.append(node)
        on.add(node)
        for other in sorted(edges[node]):
            if other not in index:
                connect(other)
                low[node] = min(low[node], low[other])
            elif other in on:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while True:
                other = stack.pop()
                on.discard(other)
                group.append(other)
                if other == node:
                    break
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(modules):
        if node not in index:
            connect(node)
    return found


def shares(names):
    """Of all type names: how many are one plain word, and how many stand twice."""
    plain = sum(1 for name in names if re.fullmatch(r"[A-Z][a-z0-9]*", name))
    twice = sum(1 for count in names.values() if count > 1)
    return plain / len(names), twice / len(names)


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    folder = pathlib.Path(arguments[0] if arguments else ".").resolve()
    sys.setrecursionlimit(10_000)
    by_crate = collections.defaultdict(list)
    for path in sorted(folder.rglob("*.rs")):
        short = path.relative_to(folder)
        if short.parts[0] in ("target", ".git"):
            continue
        by_crate[crate_of(short)].append(short)

    names, longest, largest = collections.Counter(), (0, ""), (0, "")
    total, all_circles = [0, 0], 0
    print(f"{'crate':15} {'code':>7} {'tests':>7} {'ratio':>6}  circles")
    for crate in CRATES + [""]:
        if not by_crate[crate]:
            continue
        product_lines = test_lines = 0
        files = []
        for short in by_crate[crate]:
            lines = (folder / short).read_text().splitlines()
            if is_test(short):
                test_lines += code(lines)
                continue
            product, tests = split_tests(lines)
            product_lines += code(product)
            test_lines += code(tests)
            if crate:
                files.append(folder / short)
                largest = max(largest, (len(product), str(short)))
                names.update(m.group(1) for m in map(TYPE.match, product) if m)
                for name, length in functions(product):
                    longest = max(longest, (length, f"{short}: {name}"))
        total[0] += product_lines
        total[1] += test_lines
        root = folder / crate / "src"
        if not root.exists():
            root = folder / crate
        found = circles([f for f in files if root in f.parents], root) if crate and files else []
        all_circles += len(found)
        ratio = test_lines / product_lines if product_lines else float("nan")
        print(f"{crate or 'tests, benches':15} {product_lines:7} {test_lines:7} {ratio:6.2f}  {len(found)}")
        if "--circles" in sys.argv:
            for group in found:
                print("    " + ", ".join("/".join(m) for m in group))
    plain, twice = shares(names)
    print(f"{'all':15} {total[0]:7} {total[1]:7} {total[1] / total[0]:6.2f}")
    print(f"type names: {len(names)}, of one word {plain:.1%}, defined twice or more {twice:.1%}")
    print(f"largest file: {largest[0]} lines ({largest[1]}); longest function: {longest[0]} lines ({longest[1]})")
    if "--check" in sys.argv and (plain > MOST_PLAIN or twice > MOST_TWICE):
        sys.exit("names: more than the house allows, see STYLE.md")
    if "--check" in sys.argv and all_circles:
        sys.exit("circles: --circles names the files; move what they share to the room that owns it")


if __name__ == "__main__":
    main()
