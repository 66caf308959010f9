"""The command: it copies results, checks the copy, writes cards, and puts it into a folder or on the Hub."""

import filecmp
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.base.records import read_records
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.outdated import change_of, outdated
from diffbench.benchmark.places import CONFIGURATION
from diffbench.benchmark.report import Report
from diffbench.benchmark.yaml_file import read_yaml
from diffbench.commands.missing import way_to
from diffbench.commands.publish.cards import About, card_of_all, card_of_model, card_path, require_hub
from diffbench.commands.publish.chosen import Wanted, chosen
from diffbench.commands.publish.hub import require_target, upload
from diffbench.commands.publish.leaks import require_no_leaks, require_relative
from diffbench.commands.verify.run import verify

HUB = "hub:"
YAML = "benchmark.yaml"
MODELINE = "# yaml-language-server:"


@dataclass(frozen=True)
class Asked:
    """What the command was asked. to: a folder, or hub:NAME. config: the YAML; None for the one that made the tree."""

    results: Path
    to: str
    config: Path | None = None
    wanted: Wanted = field(default_factory=Wanted)
    license: str = "unknown"
    repo_type: str = "model"
    private: bool = False


def publish(asked: Asked) -> str:
    """Return what was published, in a line. Nothing is written unless everything can be published.

    Raises: UserError if a file is damaged or outdated, names this machine, or has no place to go to.
    """
    require_hub()
    home = _home(asked.results)
    name = asked.to.removeprefix(HUB) if asked.to.startswith(HUB) else None
    if name is not None:
        require_target(name, asked.repo_type)
    parent = Path(tempfile.gettempdir()) if name is not None else Path(asked.to).absolute().parent
    if not parent.is_dir():
        raise UserError(f"--to {asked.to}: {parent} is no folder; make it first")
    with tempfile.TemporaryDirectory(prefix=".publish_", dir=parent) as scratch:
        staged = Path(scratch, "staged")
        places = _stage(home, asked, staged)
        size = sum((staged / place).stat().st_size for place in places)
        told = f"{len(places)} files, {size / 2**20:.1f} MiB"
        if name is not None:
            url = upload(staged, name, repo_type=asked.repo_type, private=asked.private)
            return f"published: {url} ({told})"
        return _put(staged, Path(asked.to), told)


def _home(results: Path) -> Path:
    results = results / RESULTS if (results / RESULTS).is_dir() else results
    if not results.is_dir() or results.absolute().name != RESULTS:
        raise UserError(f"{results}: no folder of results; {way_to(results)}")
    return results.absolute().parent


def _stage(home: Path, asked: Asked, staged: Path) -> Sequence[Path]:
    """Fill a new folder with all that is published, checked, and return its files relative to it."""
    config = asked.config or _configured(home)
    require_relative(read_yaml(config), config)
    _require_present(home, config)
    for place in chosen(home / RESULTS, asked.wanted):
        target = staged / RESULTS / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(home / RESULTS / place, target)
    if not (staged / RESULTS).is_dir():
        raise UserError(f"{home / RESULTS}: holds nothing to publish; {way_to(home / RESULTS)}")
    # The copy is checked, so that what is published is what was checked.
    found = verify(staged / RESULTS)
    if found.bad:
        more = f" (and {len(found.bad) - 1} more; `diffbench verify` lists them)" if len(found.bad) > 1 else ""
        raise UserError(f"nothing was published: {found.bad[0]}{more}")
    (staged / YAML).write_text(_without_modeline(config.read_text()))
    _write_cards(config, asked, staged)
    places = sorted(path.relative_to(staged) for path in staged.rglob("*") if path.is_file())
    if not asked.wanted.logs:
        require_no_leaks(staged, places, [home, home.resolve(), config.absolute().parent])
    return places


def _configured(home: Path) -> Path:
    try:
        config = Path(os.path.normpath(home / (home / CONFIGURATION).read_text().strip()))
    except OSError:
        config = home / YAML
    if not config.is_file():
        raise UserError(f"{home}: does not say which file configured it; name the file by --configfile")
    return config


def _require_present(home: Path, config: Path) -> None:
    """Raise UserError if an artifact is of other settings, code or data than the benchmark's file is now."""
    graph = Graph(load_benchmark(config), home)
    found = outdated(home, [*graph.everything(), *Report(graph).everything()])
    if found:
        why = change_of(found[0].recorded, found[0].present)
        raise UserError(
            f"nothing was published: {len(found)} artifacts are out of date, such as {found[0].path} ({why}); run the "
            "benchmark again, or keep them by `diffbench adopt` if only code changed"
        )


def _without_modeline(text: str) -> str:
    """Return a benchmark's file without the comment that names a schema, whose path leads nowhere from here."""
    first, _, rest = text.partition("\n")
    return rest if first.startswith(MODELINE) else text


def _write_cards(config: Path, asked: Asked, staged: Path) -> None:
    benchmark = load_benchmark(config)
    scores = sorted(path for path in (staged / RESULTS / "scores").rglob("*.json") if not path.stem.endswith(".json"))
    about = About(staged, benchmark, read_records(scores), asked.license, asked.repo_type)
    models = list(dict.fromkeys(name for name, _ in benchmark.used_models()))
    for model in models:
        card = staged / card_path(model)
        card.parent.mkdir(parents=True, exist_ok=True)
        card.write_text(card_of_model(about, model))
    (staged / "README.md").write_text(card_of_all(about, staged / RESULTS / "table2.md", models))


def _put(staged: Path, target: Path, told: str) -> str:
    """Move a finished folder to its place. Raises: UserError if something else is there."""
    if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
        if target.is_dir() and _same(staged, target):
            return f"nothing to do: {target} holds the same {told}"
        raise UserError(f"--to {target}: exists and holds other files; name a new folder")
    if target.is_dir():
        target.rmdir()
    staged.rename(target)
    return f"published: {target} ({told})"


def _same(a: Path, b: Path) -> bool:
    files = [{path.relative_to(one) for path in one.rglob("*") if path.is_file()} for one in (a, b)]
    return files[0] == files[1] and all(filecmp.cmp(a / place, b / place, shallow=False) for place in files[0])
