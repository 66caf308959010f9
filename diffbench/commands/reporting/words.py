"""Words for the jobs of the workflow, for times, and for signals."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LONGEST = 150
"""The most letters of a line."""


@dataclass(frozen=True)
class Rule:
    """The words for the jobs of a rule.

    stage: the stage that it runs. verb: what its jobs do. object: the pattern of what they do it to, with the names of
    wildcards; {set} stands for the coordinates of a sample set.
    """

    stage: str
    verb: str
    object: str


RULES: Mapping[str, Rule] = {
    "prepare": Rule("prepare", "prepare", "the data"),
    "shrink": Rule("shrink", "shrink", "the {split} images to {size} pixels"),
    "fit": Rule("fit", "train", "the extractor {extractor}"),
    "train": Rule("train", "train", "{model} seed {train_seed}"),
    "train_classifier": Rule("train", "train", "the classifier {classifier} seed {train_seed}"),
    "convert": Rule("convert", "convert", "the weights of {model}"),
    "sample": Rule("sample", "sample", "{set}"),
    "bound": Rule("bound", "evaluate", "the bound of {model} on {split} images"),
    "trace": Rule("trace", "trace", "samples of {model} on their way from noise"),
    "extract": Rule("extract", "extract", "features of {set}"),
    "extract_real": Rule("extract", "extract", "features of real images ({split}, {extractor})"),
    "score_samples": Rule("score", "score", "{set} (protocol {protocol})"),
    "score_pairs": Rule("score", "score", "{set} (image by image)"),
    "score_real": Rule("score", "score", "real images (protocol {protocol})"),
    "score_bound": Rule("score", "score", "the bound of {model}"),
    "figures_models": Rule("plot", "draw", "figures that compare models"),
    "figures_upsampling": Rule("plot", "draw", "upsampled images"),
    "comparison_figure": Rule("plot", "draw", "the comparison"),
    "rate_distortion_table": Rule("tabulate", "write", "rate_distortion.csv"),
    "table1": Rule("tabulate", "write", "table1.csv"),
    "table2": Rule("tabulate", "write", "table2.csv and its figures"),
    "table3": Rule("tabulate", "write", "table3.csv"),
    "table4": Rule("tabulate", "write", "table4.csv and its figures"),
    "table5": Rule("tabulate", "write", "table5.csv"),
    "differences": Rule("tabulate", "write", "differences.csv and its figure"),
    "claims": Rule("tabulate", "write", "claims.csv"),
    "published": Rule("tabulate", "write", "published.csv and its figure"),
    "comparison": Rule("tabulate", "write", "the comparison's table"),
    "page": Rule("report", "write", "report.html"),
}
"""The rules of the workflow. tests/workflow/test_said.py fails if one is missing."""

DOING = {
    "prepare": "preparing",
    "shrink": "shrinking",
    "train": "training",
    "convert": "converting",
    "sample": "sampling",
    "evaluate": "evaluating",
    "trace": "tracing",
    "extract": "extracting",
    "score": "scoring",
    "draw": "drawing",
    "write": "writing",
}
"""The present participle of each verb."""

SEEDS = ("train_seed", "sample_seed")

LIKELY = {
    "SIGKILL": "killed by SIGKILL, often because the memory was full",
    "SIGTERM": "ended by SIGTERM, which somebody or a batch system sent",
    "SIGINT": "interrupted",
    "SIGXCPU": "killed by SIGXCPU, because a limit of CPU time was reached",
    "SIGBUS": "killed by SIGBUS, often because a disk or /dev/shm was full",
    "SIGSEGV": "killed by SIGSEGV, a crash inside a library",
}
"""What signals that end a job mean for its user."""


FIGURES_OF = "figures_model_"
"""The beginning of the name of the rule that draws the figures of one model."""


def rule_named(name: str) -> Rule | None:
    """Return the words for a rule; None if the rule is unknown."""
    if name.startswith(FIGURES_OF):
        return Rule("plot", "draw", f"figures of {name.removeprefix(FIGURES_OF)}")
    return RULES.get(name)


def stage_of_rule(rule: str) -> str:
    """Return the stage that a rule runs; the rule's own name if it is unknown."""
    known = rule_named(rule)
    return rule if known is None else known.stage


def did(rule: str, wildcards: Mapping[str, str], seeds: Sequence[str] = ()) -> str:
    """Return what a job does: "sample ddpm, ddim, 25 steps". seeds: the names of the seeds that tell jobs apart."""
    known = rule_named(rule)
    return _unknown(rule, wildcards) if known is None else f"{known.verb} {_object(known, wildcards, seeds)}"


def doing(rule: str, wildcards: Mapping[str, str], seeds: Sequence[str] = ()) -> str:
    """Return what a job is doing: "sampling ddpm, ddim, 25 steps". The arguments are those of `did`."""
    known = rule_named(rule)
    return _unknown(rule, wildcards) if known is None else f"{DOING[known.verb]} {_object(known, wildcards, seeds)}"


def _unknown(rule: str, wildcards: Mapping[str, str]) -> str:
    return " ".join([rule, *(f"{key}={value}" for key, value in wildcards.items())])


def _object(rule: Rule, wildcards: Mapping[str, str], seeds: Sequence[str]) -> str:
    words = {key: model_in_words(value) if key == "model" else value for key, value in wildcards.items()}
    pattern = rule.object
    apart = [f"{name.replace('_', ' ')} {words[name]}" for name in seeds if name in words and name not in pattern]
    if "{set}" in pattern:
        steps = "adaptive steps" if words["steps"] == "0" else f"{words['steps']} steps"
        images = words.get("tree", "").partition("/n")[2]
        apart += [f"{images} images"] if images else []
        return pattern.format(**words, set=", ".join([words["model"], words["sampler"], steps, *apart]))
    return ", ".join([pattern.format(**words), *apart])


def model_in_words(name: str) -> str:
    """Return the name of a model, with its guidance scale in words: adm_g@1.0 is "adm_g scale 1"."""
    entry, at, scale = name.partition("@")
    return f"{entry} scale {scale.removesuffix('.0')}" if at else entry


def spoken(seconds: float) -> str:
    """Return a time in words: "93 s", "5 min 20 s", "3 h 5 min", "4 days 2 h"."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} days {hours % 24} h"


def about(seconds: float) -> str:
    """Return a time that is not known well: "40 s", "5 min", "3 h", "4 days"."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 100 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 job", "41 jobs"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def ending(code: int) -> str:
    """Return how a process ended: "exit code 2", or the signal that ended it. A shell adds 128 to a signal's number."""
    number = -code if code < 0 else code - 128
    if code < 0 or number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT, signal.SIGBUS):
        try:
            name = signal.Signals(number).name
        except ValueError:
            return f"killed by signal {number}"
        return LIKELY.get(name, f"killed by {name}")
    return f"exit code {code}"


def cut(line: str, longest: int = LONGEST) -> str:
    """Return a line that is not longer than allowed; what is cut off is shown by three points."""
    return line if len(line) <= longest else f"{line[: longest - 4].rstrip()} ..."
