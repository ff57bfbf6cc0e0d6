"""Make the sample town: `python data_samples/make_samples.py [--out DIR] [--only topo,survey,...]`.

One plan, written as each office would deliver it. A source that is already as the plan would write it is left
alone. Exit codes: 0 done, 2 called with a source that does not exist, 130 interrupted (nothing half-written
remains).
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from rich.console import Console

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]

from data_samples.plan.town import Town, build_town  # noqa: E402
from data_samples.writers.broken import write_broken  # noqa: E402
from data_samples.writers.byhand import write_byhand  # noqa: E402
from data_samples.writers.control_points import write_control  # noqa: E402
from data_samples.writers.delivery import deliver, is_current, recipe_hash  # noqa: E402
from data_samples.writers.ifc_station import write_station  # noqa: E402
from data_samples.writers.planning import write_planning  # noqa: E402
from data_samples.writers.shapefiles import write_shapefiles  # noqa: E402
from data_samples.writers.survey_tables import write_survey  # noqa: E402
from data_samples.writers.topo_sheets import write_sheets  # noqa: E402
from data_samples.writers.truth import write_truth  # noqa: E402

Tell = Callable[[str], None]


def write_topo(town: Town, folder: Path, tell: Tell) -> None:
    """Write the drawings and the municipal shapefiles."""
    write_sheets(town, folder, tell)
    write_shapefiles(town, folder / "shp", tell)


SOURCES: dict[str, Callable[..., None]] = {
    "topo": write_topo,
    "planning": write_planning,
    "survey": write_survey,
    "ifc": write_station,
    "broken": write_broken,
    "byhand": write_byhand,
    "control": write_control,
}


def make(out: Path, only: Iterable[str], console: Console, plan: Callable[[Tell], Town] = build_town) -> int:
    """Make the chosen sources of a plan below `out`, the truth beside them; return how many were written."""
    recipe = recipe_hash(HERE)
    current = [name for name in only if is_current(out / name, recipe)]
    due = [name for name in only if name not in current]
    for name in current:
        console.print(f"[green]{name:9}[/] is as the plan would write it")
    if not due and (out / "town_plan.json").is_file():
        return 0
    with console.status("the plan") as status:
        town = plan(lambda part: status.update(f"the plan: {part}"))
        for name in due:
            write = partial(SOURCES[name], town, tell=lambda part: status.update(part))
            files = deliver(out / name, recipe, write)
            console.print(f"[bold green]{name:9}[/] {len(files)} files in {out / name}")
        status.update("town_plan.json")
        write_truth(town, out / "town_plan.json")
    console.print(f"{'truth':9} {out / 'town_plan.json'}")
    return len(due)


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, make the samples, return the exit code."""
    parser = argparse.ArgumentParser(
        description="Make the sample town: one plan, written as each office would deliver it.",
        epilog="python data_samples/make_samples.py --only topo,survey",
    )
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: data_samples)")
    parser.add_argument("--only", default=",".join(SOURCES), help=f"sources to make, of {', '.join(SOURCES)}")
    chosen = parser.parse_args(arguments)
    only = [name.strip() for name in chosen.only.split(",") if name.strip()]
    unknown = [name for name in only if name not in SOURCES]
    if unknown:
        parser.error(f"no source named {', '.join(unknown)}; there are {', '.join(SOURCES)}")
    console = Console()
    try:
        make(chosen.out, only, console)
    except KeyboardInterrupt:
        console.print("interrupted; nothing half-written remains")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
