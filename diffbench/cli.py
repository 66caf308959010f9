"""The arguments of the command `diffbench`. The commands are in diffbench/commands, and the stages in stages."""

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
from diffbench.commands.help_text import MAKES, Program, usage_of
from diffbench.stages._command import run_stage

INTERRUPTED = 130
"""The exit code that typer gives for Ctrl-C."""

app = typer.Typer(cls=Program, pretty_exceptions_enable=False)

PROCESSORS = os.cpu_count() or 1

# Options of all commands that look at samples from anywhere.
DataPath = Annotated[Path | None, typer.Option(metavar="PATH", help="the path of the data set's files")]
Split = Annotated[str | None, typer.Option(help="the split of the data set: train or test  [default: the protocol's]")]
TrainedExtractor = Annotated[
    Path | None, typer.Option(help="a classifier that a benchmark trained: results/extractors/NAME.safetensors")
]
ExtractorWeights = Annotated[
    Path | None, typer.Option(help="the weights of the protocol's extractor  [default: its own or a download]")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda")]
Cache = Annotated[Path, typer.Option(metavar="FOLDER", help="the folder in which features are kept")]
Threads = Annotated[
    int, typer.Option(min=1, help="threads of numeric libraries", show_default="one for each processor")
]


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"diffbench {diffbench.__version__}")
        raise typer.Exit()


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Reproducible benchmarks for image diffusion models.

    In a clone of the project, `snakemake --cores all results/table2.csv` runs the default benchmark. `diffbench COMMAND
    --help` says what a command takes.
    """


@app.command()
def new(
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="a folder of pictures, or a zip archive of one")
    ] = None,
    data: Annotated[str | None, typer.Option(help="a data set instead: digits, mnist:PATH or cifar10:PATH")] = None,
    minutes: Annotated[float, typer.Option(help="how long the benchmark may take on this machine")] = 15,
    out: Annotated[Path | None, typer.Option(help="the file to write; it must not exist  [default: NAME.yaml]")] = None,
    name: Annotated[str | None, typer.Option(help="the benchmark's name  [default: made from the folder's]")] = None,
    size: Annotated[
        int | None, typer.Option(help="pixels across: 8, 16, 32 or 64  [default: what pictures and minutes allow]")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Inception's weights, if you have them")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="jobs that run at the same time  [default: as many as there are cores; 1 on a GPU]"),
    ] = None,
) -> None:
    """Write a benchmark for your own pictures, sized for a time.

    Each number has a comment that says why. No file is overwritten.
    """
    from diffbench.commands.new.run import Asked
    from diffbench.commands.new.run import new as written

    asked = Asked(folder, data, minutes, workers, out=out, name=name, size=size, weights=weights)
    typer.echo(written(asked))


@app.command()
def check(
    config: Annotated[Path, typer.Argument(metavar="FILE", help="a benchmark's YAML")] = DEFAULT,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="print the benchmark with every base and default filled in")
    ] = False,
) -> None:
    """Check a benchmark's file before any work.

    Every name, type and number is checked, and the networks and protocols are compared with the data.
    """
    from diffbench.commands.check.run import check as checked

    typer.echo(checked(config, resolved=resolved))


@app.command()
def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="config, scores, record (beside an artifact), run (what a job cost) or metrics"
        ),
    ] = "config",
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="write all schemas into this folder")] = None,
) -> None:
    """Print the JSON Schema of a benchmark's file or of records.

    Editors complete and check YAML by it: `diffbench schema config > benchmark.schema.json`, and the first line of the
    YAML is `# yaml-language-server: $schema=benchmark.schema.json`.
    """
    from diffbench.commands.schema.run import schema_text, write_all

    if out is not None:
        for file in write_all(out):
            typer.echo(f"written: {file}")
        return
    typer.echo(schema_text(name), nl=False)


@app.command()
def plan(
    configs: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="a benchmark's YAML, or several for a table")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="jobs that run at the same time  [default: as many as there are cores; 1 on a GPU]"),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="here, cpu or cuda, which are measured; by published figures: v100 a100 h100 h200 rtx3090 rtx4090",
        ),
    ] = "here",
    devices: Annotated[
        str | None, typer.Option(metavar="N", help="numbers of devices that share each job, as in 1,8,64: a table")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="float32, tf32 or bf16 instead of the file's, on a named device")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(metavar="FILE", help="what `diffbench bench --json` measured on a named device")
    ] = None,
) -> None:
    """Print what a benchmark costs: FLOPs, disk, memory, time.

    With several files or --devices, it prints a table of hours, device hours and memory.
    """
    from diffbench.commands.plan.run import Asked, plan_of_files

    typer.echo(plan_of_files(configs or [DEFAULT], Asked(workers, device, devices, precision, history)))


@app.command()
def bench(
    config: Annotated[Path, typer.Argument(metavar="FILE", help="a benchmark's YAML")] = DEFAULT,
    models: Annotated[
        list[str], typer.Option("--model", metavar="NAMES", help="only these: ddpm,iddpm", show_default="all")
    ] = [],  # noqa: B006
    parts: Annotated[
        list[str], typer.Option("--part", metavar="NAMES", help="only these of train,sample,extract,score")
    ] = [],  # noqa: B006
    batch: Annotated[
        int | None, typer.Option(min=1, help="images of a step", show_default="the benchmark's, less on a CPU")
    ] = None,
    images: Annotated[int, typer.Option(min=2, help="the most images of each side for metrics")] = 2000,
    seconds: Annotated[float, typer.Option(min=0.0, help="how long each thing is measured")] = 2.0,
    precision: Annotated[
        str | None, typer.Option(help="float32, tf32 or bf16", show_default="what the benchmark says")
    ] = None,
    channels_last: Annotated[bool, typer.Option("--channels-last", help="store channels last")] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="compile the networks")] = False,
    nondeterministic: Annotated[bool, typer.Option("--nondeterministic", help="allow kernels that may vary")] = False,
    device: Device = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="threads", show_default="the benchmark's")] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="a checkout of guided-diffusion, whose code then runs in turn")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="a history, to which this run is added as a line")] = None,
) -> None:
    """Measure how fast a benchmark's parts are on this machine.

    Training steps, sampling steps, extractors and metrics: images and operations per second, the share of what matrix
    products reach, and the peak of memory. With a history, it says what became slower.

    For example: diffbench bench --model iddpm --precision bf16 --json bench.jsonl.
    """
    from diffbench.commands.bench.asked import Asked, Choices
    from diffbench.commands.bench.measured import PARTS
    from diffbench.commands.bench.run import bench as measured

    choices = Choices(precision, channels_last or None, compiled or None, False if nondeterministic else None)
    asked = Asked(
        config=config,
        models=tuple(_listed(models)),
        parts=tuple(_listed(parts)) or PARTS,
        batch=batch,
        images=images,
        seconds=seconds,
        device=device,
        threads=threads,
        choices=choices,
        against=against,
        json=json,
    )
    measured(asked, say=typer.echo)


@app.command()
def conform(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="files of recorded outputs, or folders of them")],
) -> None:
    """Compare with recorded outputs of the published code.

    It prints one line a file. Exit code 1: an array differs.
    """
    from diffbench.commands.conform.run import conform_all

    code = conform_all(paths, say=typer.echo)
    if code:
        raise typer.Exit(code)


@app.command()
def protocols(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="names of protocols", show_default="all")
    ] = None,
) -> None:
    """Print what protocols fix, so that scores can be compared.

    A protocol fixes the extractor, the resize, the rounding, the number of images, the reference and the settings of
    metrics.
    """
    from diffbench.commands.protocols import protocols_text

    typer.echo(protocols_text(names or []))


class _OfNamedSamples(TyperCommand):
    """The command `measure`, which names the option that replaced one of an earlier version."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Return the arguments that remain. Raises: UserError for the option of an earlier version."""
        if any(word.partition("=")[0] == "--label" for word in args):
            raise UserError("measure: --label is now called --name")
        return super().parse_args(ctx, args)


@app.command(cls=_OfNamedSamples)
def measure(
    samples: Annotated[
        Path,
        typer.Argument(
            metavar="SAMPLES",
            help="an .npz of uint8 images, as the code of ADM and EDM writes, or a folder of pictures",
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGES",
            help="an .npz (ADM's reference batch), a folder of pictures, or a data set: digits, mnist:PATH  "
            "[default: that of a benchmark's protocol]",
        ),
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGES",
            help="real images that the model was not trained on, for ct  [default: the data set's other split]",
        ),
    ] = None,
    data: DataPath = None,
    split: Split = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="a protocol (`diffbench protocols` lists them), or FILE.yaml:NAME, one of a benchmark  [default: adm, "
            "or classifier with --extractor]"
        ),
    ] = None,
    extractor: TrainedExtractor = None,
    weights: ExtractorWeights = None,
    out: Annotated[
        Path | None, typer.Option(help="the file for the scores", show_default="SAMPLES.<protocol>.json")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="a CSV file for the scores too, as one row")] = None,
    append: Annotated[bool, typer.Option("--append", help="add the row to the --csv file if it exists")] = False,
    rounding: Annotated[
        str | None,
        typer.Option(
            help="how floats became bytes: truncate, round or unknown", show_default="what the samples' record says"
        ),
    ] = None,
    metrics: Annotated[
        list[str], typer.Option(metavar="NAMES", help="only these metrics of the protocol: fid,inception_score")
    ] = [],  # noqa: B006
    settings: Annotated[
        list[str], typer.Option("--set", metavar="METRIC.KEY=VALUE", help="a metric's setting: kid.subset_size=50")
    ] = [],  # noqa: B006
    name: Annotated[str | None, typer.Option(help="the samples' name in the scores  [default: their file's]")] = None,
    device: Device = "auto",
    cache: Cache = Path(".cache"),
    threads: Threads = PROCESSORS,
) -> None:
    """Score samples from anywhere under a published protocol.

    A benchmark's own protocol, or a classifier that it trained, can be the measure too.

    For example: diffbench measure samples/ --reference real/ --extractor results/extractors/classifier.safetensors, or
    diffbench measure samples.npz --protocol benchmark.yaml:NAME --name step_5000 --csv scores.csv --append.
    """
    from diffbench.commands.measure.asked import Asked, answer
    from diffbench.commands.measure.before import settings_of

    asked = Asked(
        samples=samples,
        reference=reference,
        held_out=held_out,
        data=data,
        split=split,
        protocol=protocol,
        extractor=extractor,
        weights=weights,
        out=out,
        csv=csv,
        append=append,
        rounding=rounding,
        metrics=tuple(_listed(metrics)),
        settings=settings_of(settings),
        name=name,
        device=device,
        cache=cache,
        threads=threads,
    )
    typer.echo(answer(asked))


@app.command()
def copies(
    samples: Annotated[
        Path, typer.Argument(metavar="SAMPLES", help="an .npz of uint8 images, or a folder of pictures")
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGES",
            help="the training images: an .npz, a folder of pictures, or a data set: digits, mnist:PATH  "
            "[default: that of a benchmark's protocol]",
        ),
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGES",
            help="real images that the model was not trained on  [default: the data set's other split]",
        ),
    ] = None,
    data: DataPath = None,
    split: Split = None,
    protocol: Annotated[
        str | None, typer.Option(help="the protocol whose features are compared, as in measure  [default: adm]")
    ] = None,
    extractor: TrainedExtractor = None,
    weights: ExtractorWeights = None,
    most: Annotated[int, typer.Option(help="how many samples are listed")] = 20,
    csv: Annotated[Path | None, typer.Option(help="a CSV file for all samples; it must not exist")] = None,
    device: Device = "auto",
    cache: Cache = Path(".cache"),
    threads: Threads = PROCESSORS,
) -> None:
    """List the samples that are most like training images.

    Each is shown with its nearest training image. The smaller the ratio, the more it looks like a copy.

    For example: diffbench copies samples/ --reference training_pictures/ --protocol clean_fid.
    """
    from diffbench.commands.copies.run import Asked, answer

    asked = Asked(
        samples=samples,
        reference=reference,
        held_out=held_out,
        data=data,
        split=split,
        protocol=protocol,
        extractor=extractor,
        weights=weights,
        most=most,
        csv=csv,
        device=device,
        cache=cache,
        threads=threads,
    )
    typer.echo(answer(asked))


@app.command()
def oracle(
    sampler: Annotated[
        list[str] | None,
        typer.Option(help="a sampler's name or dotted path, with options ('ddim eta=0.5'); may be given several times"),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="the folder for oracle.csv, oracle_claims.csv and oracle.png")
    ] = Path("oracle"),
) -> None:
    """Test samplers and bounds on data with known answers.

    No network is needed, since the exact results are computed. Exit code 1: a verdict is unexpected.
    """
    from diffbench.commands.oracle.run import oracle as proved

    report, as_expected = proved(sampler or [], out)
    typer.echo(report)
    if not as_expected:
        raise typer.Exit(1)


@app.command(name="contract")
def contract_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="sampler, metric, dataset, network, objective, guidance, schedule or extractor"
        ),
    ],
    part: Annotated[
        str, typer.Argument(metavar="PART", help="a name or dotted path, with options ('my_data.Mine size=8')")
    ],
) -> None:
    """Check your own part against what its kind must keep.

    It prints one line for each check. Exit code 1: a check fails.

    For example: diffbench contract sampler my_sampler.MySampler, for a class in my_sampler.py in the working folder.
    """
    from diffbench.commands.contract.run import contract

    report = contract(kind, part, say=typer.echo)
    typer.echo(report.text)
    if report.bad:
        raise typer.Exit(1)


class _OfRows(TyperCommand):
    """The command `compare`, which points to `compare-samplers` if it is given the options of an earlier version."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Return the arguments that remain. Raises: UserError for an option that names a sampler."""
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
            metavar="A", help="a row: model/sampler/steps, with key=value if several fit; or a file of scores"
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="the row or file that A is compared with")],
    metric: Annotated[list[str], typer.Option(help="a metric; may be given several times")] = ["fid"],  # noqa: B006
    results: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="a folder of results, a file of scores or a table", show_default="results"),
    ] = None,
    varies: Annotated[list[str], typer.Option(help="a field of the protocol that differs by design")] = [],  # noqa: B006
) -> None:
    """Say whether one row or file is better than another.

    The answer is better, worse or not resolved, with the interval of the difference.

    With two rows of the results: diffbench compare iddpm/ddim/25 ddpm/ddim/25. With two files that `diffbench measure`
    wrote: diffbench compare a.json b.json.
    """
    from diffbench.commands.compare.run import compare as verdicts

    typer.echo(verdicts(results, a, b, metrics=_listed(metric), varies=varies))


@app.command()
def published(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="a folder of results, a benchmark's folder, or its published.csv")
    ] = Path("results"),
    every: Annotated[bool, typer.Option("--all", help="print also published numbers that are not comparable")] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="print published numbers instead, whatever the results")
    ] = False,
    dataset: Annotated[list[str], typer.Option(help="with --list: only this data set, such as CIFAR-10")] = [],  # noqa: B006
    model: Annotated[list[str], typer.Option(help="with --list: only models or papers of this name")] = [],  # noqa: B006
    metric: Annotated[list[str], typer.Option(help="with --list: only this metric, such as FID")] = [],  # noqa: B006
) -> None:
    """Print scores beside the numbers that papers published.

    A published number is comparable if data, model, sampling, metric and protocol are the same. A score agrees with it
    if the interval of their difference contains 0. To look numbers up: diffbench published --list --dataset CIFAR-10
    --metric FID.
    """
    from diffbench.commands.published.run import listed_text, published_text

    if listed:
        typer.echo(listed_text(datasets=dataset, models=model, metrics=_listed(metric)), nl=False)
        return
    if dataset or model or metric:
        raise UserError("published: --dataset, --model and --metric choose published numbers; add --list")
    typer.echo(published_text(results, every=every), nl=False)


@app.command()
def claims(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="a folder of results, or a benchmark's folder")
    ] = Path("results"),
    claim: Annotated[
        list[str], typer.Option(metavar="ID", help="a claim: DDPM-1, or the path of your own class, my_claims.MyClaim")
    ] = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="a CSV file to write instead of printing")] = None,
) -> None:
    """Say which claims of papers hold on these results.

    Each claim holds, fails, is not resolved, or is not testable here. A claim that fails is a result, not an error.

    For example: diffbench claims runs/digits_claims/results --claim DDPM-1.
    """
    from diffbench.commands.claims.run import claims as tested

    typer.echo(tested(results, _listed(claim), out))


@app.command()
def table(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="a folder of results, a benchmark's folder, or a table (.csv)")
    ] = Path("results"),
    name: Annotated[
        str | None,
        typer.Option("--table", help="table1 to table5, differences or rate_distortion", show_default="table2"),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="markdown, latex, html or csv", show_default="by --out, otherwise markdown"),
    ] = None,
    columns: Annotated[
        list[str], typer.Option(metavar="NAMES", help="columns of the CSV file: model,sampler,fid")
    ] = [],  # noqa: B006
    rows: Annotated[
        list[str], typer.Option(metavar="NAMES", help="rows as in compare: iddpm,ddpm/ddim,adm_g@4/ancestral/25")
    ] = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option(help="a file to write instead of printing")] = None,
) -> None:
    """Print a table of results as Markdown, LaTeX, HTML or CSV.

    The best value of each column is bold, the second underlined, and 95 % intervals are small beside the values. The
    caption names the images, the protocol and the seeds.

    For example: diffbench table results --format latex, or diffbench table runs/smoke --table table4 --out table4.tex.
    """
    from diffbench.commands.table.run import Asked
    from diffbench.commands.table.run import table as shown

    asked = Asked(results, name, form, tuple(_listed(columns)), tuple(_listed(rows)), out)
    typer.echo(shown(asked), nl=False)


@app.command(name="compare-samplers", context_settings={"allow_extra_args": True})
def compare_samplers(
    context: typer.Context,
    candidate: Annotated[
        list[str], typer.Option(help="a sampler, with options ('ddim eta=0.5'); may be given several times")
    ],
    baseline: Annotated[str, typer.Option(help="the sampler that candidates are compared with")],
    models: Annotated[list[str], typer.Option(metavar="NAMES", help="the models that are sampled: ddpm,iddpm")],
    steps: Annotated[list[str], typer.Option(metavar="NUMBERS", help="the numbers of steps: 10,25")],
    metric: Annotated[list[str], typer.Option(help="a metric; may be given several times")] = ["fid"],  # noqa: B006
    configfile: Annotated[Path, typer.Option(help="the benchmark's YAML")] = DEFAULT,
    train_seeds: Annotated[list[str], typer.Option(metavar="NUMBERS", help="0,1,2", show_default="the table's")] = [],  # noqa: B006
    sample_seeds: Annotated[list[str], typer.Option(metavar="NUMBERS", help="0,1,2", show_default="the table's")] = [],  # noqa: B006
    num_images: Annotated[
        int | None, typer.Option(help="the number of images in each set", show_default="the table's")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="a protocol of the benchmark", show_default="the model's")
    ] = None,
    cores: Annotated[
        str, typer.Option(metavar="NUMBER", help="the number of jobs that run at the same time, or all")
    ] = "all",
) -> None:
    """Say whether samplers beat a baseline on the same noise.

    The weights are the same too. Images that are missing are made first.

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
        metrics=tuple(_listed(metric)),
        train_seeds=_numbers("--train-seeds", train_seeds),
        sample_seeds=_numbers("--sample-seeds", sample_seeds),
        num_images=num_images,
        protocol=protocol,
    )
    typer.echo(compared(configfile, question, cores=cores))


def _listed(values: list[str]) -> list[str]:
    """Return all values of an option, which may be separated by commas or spaces, or given one by one."""
    return list(dict.fromkeys(" ".join(values).replace(",", " ").split()))


def _numbers(option: str, values: list[str]) -> tuple[int, ...] | None:
    words = _listed(values)
    for word in words:
        if not word.removeprefix("-").isdecimal():
            raise UserError(f"{option}: '{word}' is not a whole number; write {option} 10,25")
    return tuple(map(int, words)) or None


@app.command(name="import")
def import_(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE", help="the name of a released file, a file of weights, or a folder of diffusers"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="weights to write", show_default="checkpoints/NAME.safetensors")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="the released file whose flags these weights have")
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="a YAML file of the weights' flags")] = None,
    listed: Annotated[bool, typer.Option("--list", help="print every released file with its URL and flags")] = False,
    cache: Annotated[Path, typer.Option(metavar="FOLDER", help="the folder for a download")] = Path(".cache"),
) -> None:
    """Import weights by others, for a model's `checkpoint`."""
    if listed:
        from diffbench.commands.importing.released import listing

        if source is not None:
            raise UserError(f"--list: prints all; leave {source} out")
        typer.echo(listing())
        return
    if source is None:
        context.fail("import: say what: a released name (see --list), a file of weights, or a diffusers folder")
    from diffbench.commands.importing.run import import_checkpoint

    if out is not None and out.suffix != ".safetensors":
        raise UserError(f"--out: {out} must end in .safetensors")
    target = import_checkpoint(source, out=out, name=name, spec_file=spec, cache=cache)
    typer.echo(f"written to {target}; use it as {{checkpoint: {target}}}")


@app.command()
def costs(
    logs: Annotated[Path, typer.Argument(metavar="FOLDER", help="a folder of run records")] = Path("results/logs"),
) -> None:
    """Print the time and memory that each stage of a run took."""
    from diffbench.commands.costs import costs as summed

    typer.echo(summed(logs))


@app.command(name="time-to-quality")
def time_to_quality(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="a folder of results, or a benchmark's folder")
    ] = Path("results"),
    loss: Annotated[
        float | None, typer.Option(help="the validation loss to reach", show_default="the lowest that all reach")
    ] = None,
    models: Annotated[
        list[str], typer.Option(metavar="NAMES", help="only these: ddpm,iddpm/train0", show_default="all")
    ] = [],  # noqa: B006
) -> None:
    """Say which training reaches a validation loss first.

    The answer is in steps, images, FLOPs and seconds. The benchmark must have `validation`. A loss counts as reached
    when its whole interval is at or below the target. Seconds come from run records, and include the measurements.
    """
    from diffbench.commands.time_to_quality import time_to_quality as reached

    typer.echo(reached(results, loss, tuple(_listed(models))))


@app.command()
def tensorboard(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="a folder of results, or a benchmark's folder")
    ] = Path("results"),
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="the folder for a folder of events per training; it must not exist")
    ] = Path("tensorboard"),
) -> None:
    """Write training logs for TensorBoard.

    Each training is a run with its losses, learning rate, gradient norm, accuracies and validation losses. Look at them
    by: tensorboard --logdir FOLDER.
    """
    from diffbench.commands.tensorboard import tensorboard as exported

    typer.echo(exported(results, out))


@app.command()
def report(
    results: Annotated[Path, typer.Argument(metavar="FOLDER", help="a benchmark's folder of results")] = Path(
        "results"
    ),
    out: Annotated[
        Path | None, typer.Option(help="the file to write", show_default="report.html in that folder")
    ] = None,
) -> None:
    """Write all results as one page that needs no network.

    It shows tables that sort, figures, sample grids, and where each number comes from.
    """
    from diffbench.commands.report.run import report as written

    typer.echo(f"written: {written(results, out)}")


@app.command()
def verify(
    results: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="a benchmark's folder of results, or a part of it")
    ] = Path("results"),
    rerun: Annotated[
        int, typer.Option(min=0, help="the number of artifacts to make again, to compare their bytes")
    ] = 0,
    seed: Annotated[int, typer.Option(help="chooses the artifacts of --rerun; stages take turns")] = 0,
) -> None:
    """Compare a run's results with what was recorded of them.

    Every artifact, record and table is compared. Exit code 1: one differs.
    """
    from diffbench.commands.verify.run import verify as verified

    report = verified(results, rerun=rerun, seed=seed)
    typer.echo(report)
    if report.bad:
        raise typer.Exit(1)


@app.command()
def adopt(
    results: Annotated[Path, typer.Argument(metavar="FOLDER", help="a benchmark's folder of results")] = Path(
        "results"
    ),
    configfile: Annotated[
        Path | None,
        typer.Option(envvar=VARIABLE, help="the benchmark's YAML", show_default="the one that made the results"),
    ] = None,
    rerun: Annotated[
        int | None,
        typer.Option(
            min=1, help="how many artifacts to make again, to compare bytes", show_default="one of each stage"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="chooses the artifacts of --rerun, from as many stages as possible")] = 0,
    stage: Annotated[
        list[str],
        typer.Option(help="keep only artifacts of this stage; may be given several times", show_default="all"),
    ] = [],  # noqa: B006
) -> None:
    """Keep results after a change of code that moves no byte.

    Some of the artifacts are made again in a scratch folder first. Exit code 1: their bytes differ.
    """
    from diffbench.commands.adopt.run import adopt as adopted

    report = adopted(results, configfile, rerun=rerun, seed=seed, stages=stage or STAGES)
    typer.echo(report)
    if not report.good:
        raise typer.Exit(1)


@app.command()
def publish(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="a benchmark's folder of results")] = Path(
        "results"
    ),
    to: Annotated[str, typer.Option(metavar="FOLDER|hub:NAME", help="a new folder, or a repository of the Hub")] = "",
    weights: Annotated[bool, typer.Option("--weights", help="publish weights too")] = False,
    samples: Annotated[bool, typer.Option("--samples", help="publish samples too")] = False,
    logs: Annotated[
        bool, typer.Option("--logs", help="publish what runs cost and where they ran, with paths and names of machines")
    ] = False,
    license_: Annotated[str, typer.Option("--license", help="the license in the cards: mit, cc-by-4.0")] = "unknown",
    repo_type: Annotated[str, typer.Option(help="the kind of repository: model or dataset")] = "model",
    private: Annotated[bool, typer.Option("--private", help="make the repository a private one")] = False,
    configfile: Annotated[
        Path | None, typer.Option(help="the benchmark's YAML", show_default="the one that made the results")
    ] = None,
) -> None:
    """Copy results with model cards to a folder or to the Hub.

    Every file is first compared with its record. Nothing is published that is damaged, outdated, or names a path of
    this machine.

    For example: diffbench publish results --to published --weights, or --to hub:NAME/digits.
    """
    from diffbench.commands.publish.chosen import Wanted
    from diffbench.commands.publish.run import Asked
    from diffbench.commands.publish.run import publish as published

    if not to:
        raise UserError("publish: say where to: --to FOLDER or --to hub:NAME")
    wanted = Wanted(weights, samples, logs)
    typer.echo(published(Asked(results, to, configfile, wanted, license_, repo_type, private)))


@app.command()
def merge(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS...", help="folders of results of one benchmark, from several machines"),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="a new folder, which will hold `results`")],
    configfile: Annotated[
        Path | None, typer.Option(help="the benchmark's YAML", show_default="the one that made the first results")
    ] = None,
) -> None:
    """Join results of one benchmark from several machines.

    Every file is compared with its record. Nothing is overwritten: two versions of one file are refused, and so are
    results of other data, settings or code.

    For example: diffbench merge here/results there/results --out runs/digits_seeds.
    """
    from diffbench.commands.merge.run import merge as merged

    typer.echo(merged(results, out, configfile))


def _add_stage(name: str) -> None:
    @app.command(
        name=name,
        help=MAKES[name],
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def stage(context: typer.Context) -> None:
        if name == "score" and any(argument.partition("=")[0] == "--samples" for argument in context.args):
            raise UserError(
                "score is the stage on features; `diffbench measure SAMPLES --reference ...` scores samples"
            )
        module = importlib.import_module(f"diffbench.stages.{name}")
        sys.argv[0] = f"diffbench {name}"  # argparse uses this as the program's name.
        module.main(context.args)


for _name in STAGES:
    _add_stage(_name)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 a bad verdict, 2 (with one line) a mistake, 130 interrupted."""

    def run(arguments: object) -> None:
        try:
            # typer.Exit is not raised here. Its code is returned.
            code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        except Exception as error:
            # Click's own usage errors have one line too, below the usage of their command.
            said = getattr(error, "format_message", None)
            if said is None:
                raise
            sys.stderr.write(usage_of(error))
            raise UserError(said()) from None
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)

    run_stage(run)


if __name__ == "__main__":
    main()
