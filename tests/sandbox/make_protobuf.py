"""Writes `tui/sandbox/protobuf.json` from the `generated.proto` files of k8s.io/api and k8s.io/apimachinery.

Usage: python tests/sandbox/make_protobuf.py DIRECTORY… > tui/sandbox/protobuf.json
For each message: the number of each field, with its name and its type, as `tui/sandbox/protobuf.py` reads them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

_FIELD = re.compile(r"^  (optional|repeated|map<string, ([\w.]+)>) ?([\w.]*) (\w+) = (\d+);", re.MULTILINE)
_SCALARS = {"string", "bytes", "bool", "int32", "int64", "double"}


def main() -> None:
    messages: dict[str, dict[str, list[str]]] = {}
    for root in sys.argv[1:]:
        for path in sorted(Path(root).rglob("generated.proto")):
            text = path.read_text("utf-8")
            package = re.search(r"^package ([\w.]+);", text, re.MULTILINE).group(1)
            for found in re.finditer(r"^message (\w+) \{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
                fields = messages[f"{package}.{found.group(1)}"] = {}
                for mark, inner, single, name, number in _FIELD.findall(found.group(2)):
                    kind = inner or single
                    full = kind if kind in _SCALARS or kind.startswith(".") else f"{package}.{kind}"
                    prefix = "[]" if mark == "repeated" else "{}" if inner else ""
                    fields[number] = [name, prefix + full.lstrip(".")]
    kinds = json.loads((Path(__file__).parents[2] / "tui/sandbox/schema.json").read_text("utf-8"))["kinds"]
    roots = {}
    for told in kinds:
        *group, version, kind = told.split("/")
        package = group[0].split(".")[0] if group else "core"
        name = f"k8s.io.api.{package}.{version}.{kind}"
        if name in messages:
            roots[told] = name
    roots["v1/DeleteOptions"] = "k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions"
    kept: dict[str, dict[str, list[str]]] = {}
    todo = list(roots.values())
    while todo:
        name = todo.pop()
        if name not in kept and name in messages:
            kept[name] = messages[name]
            todo += [kind.lstrip("[]{}") for _, kind in messages[name].values()]
    print('{"kinds": ' + json.dumps(roots, indent=0, sort_keys=True) + ',\n"messages": {')
    print(",\n".join(f"{json.dumps(name)}: {json.dumps(kept[name])}" for name in sorted(kept)) + "}}")


if __name__ == "__main__":
    main()
