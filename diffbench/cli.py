"""The command `diffbench`: its arguments. What a command does is in diffbench/commands, and a stage in stages."""

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

import diffbench
from diffbench.base.errors import UserError
from diffbench.base.stage_names import STAGES
from diffbench.benchmark.places import DEFAULT, VARIABLE
from diffbench.stages._command import run_stage

INTERRUPTED = 130
"""What typer makes of Ctrl-C."""

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"diffbench {diffbench.__version__}")
        raise typer.Exit()


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    """Reproducible benchmarks for image diffusion models."""


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="a benchmark's YAML")] = DEFAULT,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="print it with every base and default filled in")
    ] = False,
) -> None:
    """Validate a benchmark: every name, type and number, before any work."""
    from diffbench.commands.check import check as checked

    typer.echo(checked(config, resolved=resolved))


@app.command()
def plan(
    config: Annotated[Path, typer.Argument(help="a benchmark's YAML")] = DEFAULT,
    workers: Annotated[int, typer.Option(min=1, help="jobs side by side")] = os.cpu_count() or 1,
) -> None:
    """Print jobs, network evaluations, FLOPs, disk and expected time of a benchmark."""
    from diffbench.commands.plan import plan_of_file

    typer.echo(plan_of_file(config, workers))


@app.command()
def conform(paths: Annotated[list[Path], typer.Argument(help="reference files, or folders of them")]) -> None:
    """Compare with recorded outputs of the published code: one line a file, exit code 1 where an array is off."""
    from diffbench.commands.conform.run import conform_all

    code = conform_all(paths, say=typer.echo)
    if code:
        raise typer.Exit(code)


@app.command()
def protocols(names: Annotated[list[str] | None, typer.Argument(help="which; all without")] = None) -> None:
    """Print what scores mean: extractor, resize, rounding, n, reference and settings of every protocol."""
    from diffbench.commands.protocols import protocols_text

    typer.echo(protocols_text(names or []))


@app.command()
def measure(
    samples: Annotated[
        Path,
        typer.Argument(help="an .npz of uint8 images, as ADM's and EDM's users have them, or a folder of pictures"),
    ],
    reference: Annotated[
        str,
        typer.Option(help="an .npz, ADM's reference batch, a folder of pictures, or a data set: digits, mnist:PATH"),
    ],
    data: Annotated[Path | None, typer.Option(help="where the data of the data set are")] = None,
    split: Annotated[
        str | None, typer.Option(help="which part of the data set: train or test  [default: train]")
    ] = None,
    protocol: Annotated[str, typer.Option(help="`diffbench protocols` lists them")] = "adm",
    weights: Annotated[Path | None, typer.Option(help="the extractor's weights, else its own or a download")] = None,
    out: Annotated[Path | None, typer.Option(help="the records; SAMPLES.<protocol>.json without")] = None,
    rounding: Annotated[
        str | None,
        typer.Option(
            help="how floats became bytes: truncate, round or unknown  [default: as the samples' record says]"
        ),
    ] = None,
    metrics: Annotated[list[str], typer.Option(help="of the protocol's metrics only these: fid,inception_score")] = [],  # noqa: B006
    settings: Annotated[
        list[str], typer.Option("--set", metavar="METRIC.KEY=VALUE", help="a metric's setting: kid.subset_size=50")
    ] = [],  # noqa: B006
    label: Annotated[str | None, typer.Option(help="the samples' name in the records  [default: their file's]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    cache: Annotated[Path, typer.Option(help="where features wait")] = Path(".cache"),
    threads: Annotated[int, typer.Option(min=1, help="of numeric libraries")] = os.cpu_count() or 1,
) -> None:
    """Score somebody's samples against reference images under a published protocol, without a model of ours."""
    from diffbench.commands.measure.asked import Asked, answer

    asked = Asked(
        samples=samples,
        reference=reference,
        data=data,
        split=split,
        protocol=protocol,
        weights=weights,
        out=out,
        rounding=rounding,
        metrics=tuple(_listed(metrics)),
        settings=tuple(settings),
        label=label,
        device=device,
        cache=cache,
        threads=threads,
    )
    typer.echo(answer(asked))


@app.command()
def oracle(
    sampler: Annotated[
        list[str] | None,
        typer.Option(help="a sampler's name or dotted path, options behind it ('ddim eta=0.5'); again for more"),
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for oracle.csv, oracle_claims.csv and oracle.png")] = Path("oracle"),
) -> None:
    """Measure samplers and bounds on data whose answers are known; exit code 1 where a verdict is unexpected."""
    from diffbench.commands.oracle.run import oracle as proved

    report, as_expected = proved(sampler or [], out)
    typer.echo(report)
    if not as_expected:
        raise typer.Exit(1)


class _OfRows(TyperCommand):
    """`compare`, which says where samplers are compared: until now it took them, too."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Return the arguments that are left. Raises: UserError for an option that names a sampler."""
        for word in args:
            option = word.partition("=")[0]
            if option in ("--candidate", "--baseline"):
                raise UserError(f"compare: {option} names a sampler: diffbench compare-samplers compares them")
        return super().parse_args(ctx, args)


@app.command(cls=_OfRows)
def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help="a row: model/sampler/steps, and key=value where that names several; or a file of scores"
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="the row that it is compared with")],
    metric: Annotated[list[str], typer.Option(help="a metric; may be given several times")] = ["fid"],  # noqa: B006
    results: Annotated[
        Path | None, typer.Option(help="a folder of results, a file of scores or a table  [default: results]")
    ] = None,
    varies: Annotated[list[str], typer.Option(help="a field of the protocol that differs by design")] = [],  # noqa: B006
) -> None:
    """Say whether row A is better than row B, worse, or not resolved, with the interval of the difference.

    Two rows that there are: diffbench compare iddpm/ddim/25 ddpm/ddim/25. Two files that `diffbench measure` wrote:
    diffbench compare a.json b.json.
    """
    from diffbench.commands.compare.run import compare as verdicts

    typer.echo(verdicts(results, a, b, metrics=metric, varies=varies))


@app.command(name="compare-samplers", context_settings={"allow_extra_args": True})
def compare_samplers(
    context: typer.Context,
    candidate: Annotated[list[str], typer.Option(help="one, options behind it ('ddim eta=0.5'); again for more")],
    baseline: Annotated[str, typer.Option(help="the sampler that they are compared with")],
    models: Annotated[list[str], typer.Option(help="on the weights of these: ddpm,iddpm")],
    steps: Annotated[list[str], typer.Option(help="at these numbers of steps: 10,25")],
    metric: Annotated[list[str], typer.Option(help="a metric; may be given several times")] = ["fid"],  # noqa: B006
    configfile: Annotated[Path, typer.Option(help="the benchmark's YAML")] = DEFAULT,
    train_seeds: Annotated[list[str], typer.Option(help="0,1,2  [default: the table's]")] = [],  # noqa: B006
    sample_seeds: Annotated[list[str], typer.Option(help="0,1,2  [default: the table's]")] = [],  # noqa: B006
    num_images: Annotated[int | None, typer.Option(help="in each set  [default: the table's]")] = None,
    protocol: Annotated[str | None, typer.Option(help="one of the benchmark's  [default: the model's]")] = None,
    cores: Annotated[str, typer.Option(help="jobs side by side, or all")] = "all",
) -> None:
    """Say whether samplers are better than a baseline on the same weights and noise; what is missing is made first.

    For example: diffbench compare-samplers --candidate my_sampler.MySampler --baseline ddim --models ddpm,iddpm
    --steps 10.
    """
    from diffbench.commands.compare_samplers.question import Question
    from diffbench.commands.compare_samplers.run import compare_samplers as compared

    if context.args:
        raise UserError(f"compare-samplers: '{context.args[0]}' belongs to no option; several: --steps 10,25")
    question = Question(
        candidates=tuple(dict.fromkeys(candidate)),
        baseline=baseline,
        models=tuple(_listed(models)),
        steps=_numbers("--steps", steps) or (),
        metrics=tuple(dict.fromkeys(metric)),
        train_seeds=_numbers("--train-seeds", train_seeds),
        sample_seeds=_numbers("--sample-seeds", sample_seeds),
        num_images=num_images,
        protocol=protocol,
    )
    typer.echo(compared(configfile, question, cores=cores))


def _listed(values: list[str]) -> list[str]:
    """Return the words of options that take several, by commas or spaces or given again."""
    return list(dict.fromkeys(" ".join(values).replace(",", " ").split()))


def _numbers(option: str, values: list[str]) -> tuple[int, ...] | None:
    words = _listed(values)
    for word in words:
        if not word.removeprefix("-").isdecimal():
            raise UserError(f"{option}: '{word}' is not a whole number; write {option} 10,25")
    return tuple(map(int, words)) or None


@app.command(name="import")
def import_(
    source: Annotated[
        str | None, typer.Argument(help="a released name, a file of weights, or a diffusers folder")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="weights to write; checkpoints/NAME.safetensors without")] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="the released name whose flags it has")
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="a YAML of the flags")] = None,
    listed: Annotated[bool, typer.Option("--list", help="print every released file with its URL and flags")] = False,
    cache: Annotated[Path, typer.Option(help="where a download waits")] = Path(".cache"),
) -> None:
    """Make weights that others released an artifact of ours, to be named as a model's `checkpoint`."""
    if listed:
        from diffbench.commands.importing.released import listing

        if source is not None:
            raise UserError(f"--list: prints all; leave {source} out")
        typer.echo(listing())
        return
    if source is None:
        raise UserError("import: say what: a released name (see --list), a file of weights, or a diffusers folder")
    from diffbench.commands.importing.run import import_checkpoint

    if out is not None and out.suffix != ".safetensors":
        raise UserError(f"--out: {out} must end in .safetensors")
    target = import_checkpoint(source, out=out, name=name, spec_file=spec, cache=cache)
    typer.echo(f"written to {target}; use it as {{checkpoint: {target}}}")


@app.command()
def costs(logs: Annotated[Path, typer.Argument(help="a folder of run records")] = Path("results/logs")) -> None:
    """Print where the time of a finished run went."""
    from diffbench.commands.costs import costs as summed

    typer.echo(summed(logs))


@app.command()
def verify(
    results: Annotated[Path, typer.Argument(help="a benchmark's folder of results, all of it or a part")] = Path(
        "results"
    ),
    rerun: Annotated[int, typer.Option(min=0, help="make so many artifacts again and compare their bytes")] = 0,
    seed: Annotated[int, typer.Option(help="which artifacts --rerun takes, each stage in turn")] = 0,
) -> None:
    """Compare every artifact, record and table with what was recorded; exit code 1 where one differs."""
    from diffbench.commands.verify.run import verify as verified

    report = verified(results, rerun=rerun, seed=seed)
    typer.echo(report)
    if report.bad:
        raise typer.Exit(1)


@app.command()
def adopt(
    results: Annotated[Path, typer.Argument(help="a benchmark's folder of results")] = Path("results"),
    configfile: Annotated[
        Path | None,
        typer.Option(envvar=VARIABLE, help="the benchmark's YAML  [default: the one that made the results]"),
    ] = None,
    rerun: Annotated[
        int | None,
        typer.Option(min=1, help="make so many artifacts again and compare their bytes  [default: one of each stage]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="which artifacts --rerun takes, of as many stages as it can")] = 0,
    stage: Annotated[
        list[str], typer.Option(help="keep only what these stages made; again for more  [default: all]")
    ] = [],  # noqa: B006
) -> None:
    """Keep finished results under changed code that gives the same bytes; exit code 1 where it does not."""
    from diffbench.commands.adopt.run import adopt as adopted

    report = adopted(results, configfile, rerun=rerun, seed=seed, stages=stage or STAGES)
    typer.echo(report)
    if not report.good:
        raise typer.Exit(1)


def _add_stage(name: str) -> None:
    summary = f"Run the stage '{name}' on files; `diffbench {name} --help` lists its arguments."

    @app.command(
        name=name,
        help=summary,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def stage(context: typer.Context) -> None:
        if name == "score" and any(argument.partition("=")[0] == "--samples" for argument in context.args):
            raise UserError(
                "score is the stage on features; `diffbench measure SAMPLES --reference ...` scores samples"
            )
        module = importlib.import_module(f"diffbench.stages.{name}")
        sys.argv[0] = f"diffbench {name}"  # what argparse calls the program
        module.main(context.args)


for _name in STAGES:
    _add_stage(_name)


def main() -> None:
    """Run the command line: exit code 0 done, 1 a verdict that is bad, 2 and one line a mistake, 130 interrupted."""

    def run(arguments: object) -> None:
        try:
            # A command that left with typer.Exit is not raised here: its code is what comes back.
            code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        except Exception as error:
            # Click's own usage errors carry one line too.
            said = getattr(error, "format_message", None)
            if said is not None:
                raise UserError(said()) from None
            raise
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)

    run_stage(run)


if __name__ == "__main__":
    main()
