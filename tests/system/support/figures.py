# Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
"""The figures in docs/reliability.md: programs that try something many times print them, scripts/lib/figures takes them.
And what else a program writes into a page."""
import dataclasses
import json
import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs/reliability.md"
_MARK = "figures: "
_HEAD = ["| what | tried | survived | again, as root |", "|---|---|---|---|"]


@dataclasses.dataclass(frozen=True)
class Row:
    """What was done, of what how many, how much of it was found wrong, and how to do it again."""
    what: str
    tried: dict[str, int]
    found: int
    again: str

    def line(self) -> str:
        return _MARK + json.dumps(dataclasses.asdict(self))

    def cells(self) -> str:
        tried = ", ".join(f"{number} {name}" for name, number in self.tried.items())
        survived = "all" if self.found == 0 else f"**all but {self.found}**"
        return f"| {self.what} | {tried} | {survived} | `{self.again}` |"


def show(what: str, tried: dict[str, int], found: int, again: str) -> None:
    print(Row(what, tried, found, again).line(), flush=True)


def read(line: str) -> Row | None:
    """The figures in a line of output, if it has any."""
    return Row(**json.loads(line.partition(_MARK)[2])) if _MARK in line else None


def write(name: str, text: str, page: pathlib.Path = PAGE) -> None:
    """Puts it between the page's marks of that name."""
    written, number = _place(name).subn(lambda found: found[1] + text + found[3], page.read_text())
    if number != 1:
        raise ValueError(f"{page}: no place for the table: {name}")
    page.write_text(written)


def merge(rows: list[Row]) -> None:
    """Into the table "figures": in the place of what was said of the same thing before, or at the end."""
    lines = _place("figures").split(PAGE.read_text())[2].splitlines()[len(_HEAD):]
    for row in rows:
        same = [at for at, line in enumerate(lines) if line.startswith(f"| {row.what} |")]
        lines[same[0] if same else len(lines):same[0] + 1 if same else len(lines)] = [row.cells()]
    write("figures", "".join(line + "\n" for line in _HEAD + lines))


def _place(name: str) -> re.Pattern[str]:
    name = re.escape(name)
    return re.compile(f"(<!-- begin of {name} -->\n)(.*?)(<!-- end of {name} -->\n)", re.DOTALL)
