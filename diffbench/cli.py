"""The command `diffbench`: the stages for people, and what needs no rule."""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from diffbench.base.command import run_stage
from diffbench.base.errors import UserError

STAGES = ("prepare", "shrink", "fit", "train", "convert", "sample", "extract", "bound", "score", "tabulate", "plot")
DEFAULT = Path("workflow/config/digits.yaml")
INTERRUPTED = 130
"""What typer makes of Ctrl-C."""

app = typer.Typer(
    help="Reproducible benchmarks for image diffusion models.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="a benchmark's YAML")] = DEFAULT,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="print it with every base and default filled in")
    ] = False,
) -> None:
    """Validate a benchmark: every name, type and number, before any work."""
    from diffbench.benchmark.load import load_benchmark
    from diffbench.benchmark.places import home_of, other_configuration

    benchmark = load_benchmark(config)
    other = other_configuration(home_of(benchmark.name), config, benchmark.name)
    if other is not None:
        typer.echo(
            f"{config}: note: benchmark '{benchmark.name}' is the name of {other} too; give one another", err=True
        )
    _check_networks(benchmark, config)
    held_out = _say_data(benchmark, config)
    if held_out is not None:
        for row in benchmark.sampled_sets():
            if benchmark.upsamples_real(row) and row.num_images > held_out:
                raise UserError(
                    f"{config}: runs: {row.model} is to upsample {row.num_images} held-out images, "
                    f"of which there are {held_out}; ask for fewer"
                )
    for name, sampler in benchmark.samplers.items():
        if sampler.left_out:
            typer.echo(f"{config}: note: samplers.{name}.config: not taken over: {sampler.left_out}", err=True)
    for name, (_, protocol) in benchmark.protocols.items():
        file = protocol.reference_file
        if file and not file.is_file():
            typer.echo(f"{config}: note: protocols.{name}.reference: {file} is not here yet", err=True)
    if not resolved:
        models, rows = len(benchmark.models), len(benchmark.sample_sets())
        typer.echo(
            f"{config}: benchmark {benchmark.name}, {models} models, {len(benchmark.samplers)} samplers, {rows} rows"
        )
        for name, reason in benchmark.left_out.items():
            typer.echo(f"left out of the grid: {name}: {reason}")
        return
    import dataclasses

    from diffbench.base.plugins import described
    from diffbench.benchmark.jobs import convert_job, train_job
    from diffbench.benchmark.yaml_file import write_yaml

    described_keys = ("network", "diffusion", "objective", "training")
    trained = {name: model.checkpoint is None for name, model in benchmark.models.items()}
    jobs = {
        name: (train_job(benchmark, name, 0) if own else convert_job(benchmark, name)).as_json()
        for name, own in trained.items()
    }
    models = {name: {key: spec[key] for key in described_keys if key in spec} for name, spec in jobs.items()}
    for name, entry in models.items():
        model = benchmark.models[name]
        entry |= {"weights": model.weights, "of": model.of, "labels": model.labels, "guidance": None}
        entry |= {"checkpoint": model.checkpoint.path} if model.checkpoint else {}
        entry |= {"size": model.size, "low_size": model.low_size}
        entry |= {"low_res": dataclasses.asdict(model.low_res) if model.low_res else None}
        if model.guidance is not None:
            guided = described(model.guidance.part, model.guidance.name)
            entry["guidance"] = guided | {"classifier": model.guidance.classifier}
    classifiers = {
        name: {
            "network": described(classifier.network, classifier.network_name),
            "diffusion": dataclasses.asdict(classifier.diffusion),
            "training": dataclasses.asdict(classifier.training) if classifier.training else None,
            "weights": classifier.weights,
            "size": classifier.size,
        }
        | ({"checkpoint": classifier.checkpoint.path} if classifier.checkpoint else {})
        for name, classifier in benchmark.classifiers.items()
    }
    samplers = {name: described(entry.part, entry.name) for name, entry in benchmark.samplers.items()}
    content = {"benchmark": benchmark.name, "dataset": described(benchmark.dataset, benchmark.dataset_name)}
    content |= {"classifiers": classifiers, "models": models, "samplers": samplers}
    for key in ("sampling", "bound", "execution"):
        content[key] = dataclasses.asdict(getattr(benchmark, key))
    content["protocols"] = {key: described(part, name) for key, (name, part) in benchmark.protocols.items()}
    content["extractors"] = {key: described(part, name) for key, (name, part) in benchmark.extractors.items()}
    content["runs"] = [dataclasses.asdict(run) for run in benchmark.runs]
    typer.echo(write_yaml(json.loads(json.dumps(content))).rstrip())


def _say_data(benchmark, config: Path) -> int | None:  # noqa: ANN001  (a Benchmark; imported late)
    """Print what is read of the data, and return the number of test images; None where they are not here yet.

    Raises: UserError where they are here and cannot be read.
    """
    from diffbench.base.classes import class_counts, unlike_uniform
    from diffbench.datasets._split import MissingDataError

    try:
        splits = {split: benchmark.dataset.open(split) for split in ("train", "test")}
    except MissingDataError as error:
        typer.echo(f"{config}: note: the data are not here yet ({error})", err=True)
        return None
    except UserError as error:
        raise UserError(f"{config}: dataset: {error}") from None
    for split, images in splits.items():
        typer.echo(f"{config}: {split}: {images.summary()}", err=True)
    told = unlike_uniform(class_counts(splits["train"].labels, benchmark.dataset.num_classes))
    uniform = [model.name for model in benchmark.models.values() if model.labels in ("iid", "balanced")]
    if told and uniform:
        typer.echo(f"{config}: note: {told}; models: {', '.join(uniform)}", err=True)
    return splits["test"].num_images


def _check_networks(benchmark, config: Path) -> None:  # noqa: ANN001  (a Benchmark; imported late)
    """Raise UserError where the data cannot be read, or a network does not fit them."""
    import torch

    from diffbench.base.sizes import shrunk_shape

    try:
        shape, num_classes = _data_shape(benchmark)
    except UserError as error:
        raise UserError(f"{config}: dataset: {error}") from None
    for name, model in benchmark.models.items():
        try:
            own = shrunk_shape(shape, model.size)
            shrunk_shape(own, model.low_size)
            with torch.device("meta"):
                model.network.build(own, num_classes, model.diffusion.learns_variance)
        except UserError as error:
            raise UserError(f"{config}: models.{name}.network: {error}") from None
    for name, classifier in benchmark.classifiers.items():
        try:
            with torch.device("meta"):
                classifier.network.build(shrunk_shape(shape, classifier.size), num_classes)
        except UserError as error:
            raise UserError(f"{config}: classifiers.{name}.network: {error}") from None


@app.command()
def plan(
    config: Annotated[Path, typer.Argument(help="a benchmark's YAML")] = DEFAULT,
    workers: Annotated[int, typer.Option(min=1, help="jobs side by side")] = os.cpu_count() or 1,
) -> None:
    """Print jobs, network evaluations, FLOPs, disk and expected time of a benchmark."""
    from diffbench.benchmark.load import load_benchmark
    from diffbench.commands.plan import plan as planned

    benchmark = load_benchmark(config)
    shape, num_classes = _data_shape(benchmark)
    typer.echo(planned(benchmark, shape, num_classes, workers))


def _data_shape(benchmark):  # noqa: ANN001, ANN202  (a Benchmark; imported late)
    dataset = benchmark.dataset
    height, width, channels = dataset.shape or dataset.open("test").shape
    return (channels, height, width), dataset.num_classes


@app.command()
def conform(paths: Annotated[list[Path], typer.Argument(help="reference files, or folders of them")]) -> None:
    """Compare with recorded outputs of the published code: one line a file, exit code 1 where an array is off."""
    from diffbench.commands.conform.run import conform as compared
    from diffbench.commands.conform.run import reference_files

    failed = unreadable = 0
    for path in reference_files(paths):
        try:
            results = compared(path)
        except UserError as error:
            unreadable += 1
            typer.echo(f"diffbench: {error}", err=True)
            continue
        passed = all(result.passed for result in results)
        failed += not passed
        limit = max(result.tolerance for result in results)
        verdict = f"ok, within {limit:.0e}" if passed else "FAILED"
        typer.echo(f"{path.name}: {verdict}; " + "; ".join(map(str, results)))
    if failed or unreadable:
        raise typer.Exit(1 if failed else 2)


@app.command()
def protocols(names: Annotated[list[str] | None, typer.Argument(help="which; all without")] = None) -> None:
    """Print what scores mean: extractor, resize, rounding, n, reference and settings of every protocol."""
    from diffbench.base.plugins import names as parts
    from diffbench.commands.measure.run import protocols_text

    typer.echo(protocols_text(names or parts("protocols")))


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
    from diffbench.commands.measure import before
    from diffbench.commands.measure import run as command
    from diffbench.commands.measure.image_sets import image_file, reference_file

    if not samples.exists():
        raise UserError(f"{samples}: no such file")
    chosen = {"metrics": _listed(metrics), "settings": before.settings_of(settings)}
    called = before.label_of(samples, label)
    _, extractor = command.extractor_of(command.protocol_of(protocol, "train", **chosen), protocol)
    wanted = command.wanted_of(extractor, weights)
    target = out or Path(f"{samples.resolve() if samples.name in ('', '..') else samples}.{protocol}.json")
    before.require_apart(target, samples, Path(reference))
    before.require_writable(target, "--out", is_folder=False)
    before.require_writable(cache, "--cache", is_folder=True)
    with before.naming_cache(cache):
        own = image_file(samples, cache, wanted)
        against, place = reference_file(reference, data, split, cache, wanted)
        part = command.protocol_of(protocol, place, **chosen)
        measured = command.measure(
            own.file,
            against.file,
            part,
            protocol,
            label=called,
            out=target,
            cache=cache,
            weights=weights,
            rounding=rounding,
            device=device,
            threads=threads,
        )
    said = [f"samples: {own.read} ({measured.samples})", f"reference: {against.read} ({measured.reference})", ""]
    said += [command.report(measured, part), ""]
    row = command.table_row(measured.records)
    said += ["as a row of table2.csv:", row, ""] if row else []
    typer.echo(before.printable("\n".join([*said, f"written to {target}"])))


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


@app.command()
def compare(
    a: Annotated[
        str | None,
        typer.Argument(help="a row: model/sampler/steps, and key=value where that names several; or a file of scores"),
    ] = None,
    b: Annotated[str | None, typer.Argument(help="the row that it is compared with")] = None,
    metric: Annotated[list[str], typer.Option(help="a metric; may be given several times")] = ["fid"],  # noqa: B006
    results: Annotated[
        Path | None, typer.Option(help="rows: a folder of results, a file of scores or a table  [default: results]")
    ] = None,
    varies: Annotated[list[str], typer.Option(help="rows: a field of the protocol that differs by design")] = [],  # noqa: B006
    candidate: Annotated[
        list[str], typer.Option(help="samplers: one, options behind it ('ddim eta=0.5'); again for more")
    ] = [],  # noqa: B006
    baseline: Annotated[str | None, typer.Option(help="samplers: what they are compared with")] = None,
    models: Annotated[list[str], typer.Option(help="samplers: on the weights of these: ddpm,iddpm")] = [],  # noqa: B006
    steps: Annotated[list[str], typer.Option(help="samplers: at these numbers of steps: 10,25")] = [],  # noqa: B006
    configfile: Annotated[Path | None, typer.Option(help=f"samplers: the benchmark  [default: {DEFAULT}]")] = None,
    train_seeds: Annotated[list[str], typer.Option(help="samplers: 0,1,2  [default: the table's]")] = [],  # noqa: B006
    sample_seeds: Annotated[list[str], typer.Option(help="samplers: 0,1,2  [default: the table's]")] = [],  # noqa: B006
    num_images: Annotated[int | None, typer.Option(help="samplers: in each set  [default: the table's]")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="samplers: one of the benchmark's  [default: the model's]")
    ] = None,
    cores: Annotated[str, typer.Option(help="samplers: jobs side by side, or all")] = "all",
) -> None:
    """Say whether A is better than B, worse, or not resolved, with the interval of the difference.

    Two rows that there are: diffbench compare iddpm/ddim/25 ddpm/ddim/25. Two files that `diffbench measure` wrote:
    diffbench compare a.json b.json. Or samplers, whose missing sample sets are made first: diffbench compare
    --candidate my_sampler.MySampler --baseline ddim --models ddpm,iddpm --steps 10.
    """
    of_samplers = {
        "--candidate": candidate, "--baseline": baseline, "--models": models, "--steps": steps,
        "--configfile": configfile, "--train-seeds": train_seeds, "--sample-seeds": sample_seeds,
        "--num-images": num_images, "--protocol": protocol,
    }  # fmt: skip
    given = [option for option, value in of_samplers.items() if value not in (None, [])]
    if not given:
        from diffbench.commands.compare.run import compare as verdicts

        if a is None or b is None:
            raise UserError(
                "compare: name two rows (iddpm/ddim/25 ddpm/ddim/25), or --candidate and --baseline samplers"
            )
        typer.echo(verdicts(results, a, b, metrics=metric, varies=varies))
        return
    rows = [value for value in (a, b) if value is not None]
    rows += [option for option, value in {"--results": results, "--varies": varies}.items() if value]
    if rows:
        raise UserError(f"compare: '{rows[0]}' goes with two rows, {given[0]} with samplers; several: --steps 10,25")
    if not candidate or baseline is None:
        missing = "--candidate" if not candidate else "--baseline"
        raise UserError(f"compare: {missing} is missing; --candidate and --baseline name samplers, such as ddim")
    from diffbench.commands.compare_samplers.run import Question, compare_samplers

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
    typer.echo(compare_samplers(configfile or DEFAULT, question, cores=cores))


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
            if hasattr(error, "format_message"):
                raise UserError(error.format_message()) from None
            raise
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)

    run_stage(run)


if __name__ == "__main__":
    main()
