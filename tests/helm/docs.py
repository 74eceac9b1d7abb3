#!/usr/bin/env python3
"""Writes what follows from the comments of values.yaml: the table in the chart's README.md and the
descriptions in values.schema.json.

    docs.py            writes both
    docs.py --check    says what is out of date, and fails if anything is

A comment that begins with "# --" explains the key below it.
"""

import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parents[2] / "helm" / "bellringer"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"


def comments(text: str) -> dict:
    """Path of a key -> its comment, in the order of the file."""
    found, parents, waiting = {}, [], None
    for number, line in enumerate(text.splitlines(), 1):
        explained = re.match(r" *# -- (.+)$", line)
        if explained:
            if waiting:
                raise ValueError(f"values.yaml:{number}: two comments for one key")
            waiting = explained[1]
            continue
        key = re.match(r"( *)([A-Za-z_][A-Za-z0-9_]*):( |$)", line)
        if key:
            parents[len(key[1]) // 2 :] = [key[2]]
            if waiting:
                found[tuple(parents)] = waiting
        elif waiting:
            raise ValueError(f"values.yaml:{number}: a comment without a key")
        waiting = None
    return found


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def leaves(tree, path=()):
    """Paths of everything that is no map with keys."""
    if not isinstance(tree, dict) or not tree:
        yield path
        return
    for key, value in tree.items():
        yield from leaves(value, (*path, key))


def check_complete(values, explained):
    for path in leaves(values):
        if not any(path[:length] in explained for length in range(1, len(path) + 1)):
            raise ValueError(f"values.yaml: no comment for {'.'.join(path)}")


def table(values, explained) -> str:
    """The values as a table of Markdown."""
    rows = ["| value | default | what it is |", "|---|---|---|"]
    for path, comment in explained.items():
        shown = json.dumps(at(values, path), ensure_ascii=False).replace("|", "\\|")
        rows.append(f"| `{'.'.join(path)}` | `{shown}` | {comment.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def schema_with(schema: dict, explained: dict) -> dict:
    """The schema with the comments as descriptions."""

    def describe(node, path):
        for key, inner in list(node.get("properties", {}).items()):
            comment = explained.get((*path, key))
            if comment:
                # What stands beside a reference is ignored in this version of JSON Schema.
                rest = {"allOf": [{"$ref": inner["$ref"]}]} if "$ref" in inner else inner
                inner = {
                    "description": comment,
                    **{k: v for k, v in rest.items() if k != "description"},
                }
                node["properties"][key] = inner
            describe(inner, (*path, key))

    describe(schema, ())
    return schema


def made() -> dict:
    """File -> what it should contain."""
    text = (CHART / "values.yaml").read_text()
    values, explained = yaml.safe_load(text), comments(text)
    check_complete(values, explained)
    readme = (CHART / "README.md").read_text()
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    schema = schema_with(json.loads((CHART / "values.schema.json").read_text()), explained)
    return {
        CHART / "README.md": f"{before}{BEGIN}\n{table(values, explained)}\n{END}{after}",
        CHART / "values.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
    }


def main() -> int:
    stale = {path: text for path, text in made().items() if path.read_text() != text}
    if sys.argv[1:] == ["--check"]:
        for path in stale:
            print(f"{path.name} is not what values.yaml says: run tests/helm/docs.py")
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text)
        print(f"wrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
