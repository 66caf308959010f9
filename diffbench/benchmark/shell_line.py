"""The shell line of a workflow's rule, which runs one stage.

Snakemake replaces the names in braces by the rule's files and parameters. `:q` quotes each of them, so that spaces,
quotes and `$` in a path reach the stage unchanged.
"""

from collections.abc import Mapping
from types import MappingProxyType

NONE: Mapping[str, str] = MappingProxyType({})


def call(
    stage: str,
    arguments: Mapping[str, str],
    *,
    optional: Mapping[str, str] = NONE,
    log: str = "log",
    spec: str = "params.spec",
    processes: str = "",
) -> str:
    """Return the shell line of a rule that runs a stage, or a module that is named with its packages.

    arguments: the stage's options, each with the rule's name of its value: {"--data": "input.data"}. optional: the
    same, for options that are left out if the value is empty. log: the rule's name of its log; the run record is beside
    it. spec: the rule's name of the stage's spec. processes: the rule's name of the number of processes that torchrun
    starts; if it is 1, the stage runs without torchrun.
    """
    names = {option: option.strip("-").replace("-", "_") for option in optional}
    variables = {"log": log} | {names[option]: value for option, value in optional.items()}
    words = [
        "exec {sys.executable:q} -m",
        *([_torchrun(processes)] if processes else []),
        stage if "." in stage else f"diffbench.stages.{stage}",
        f"--spec {{{spec}:q}}",
        *(f"{option} {{{value}:q}}" for option, value in arguments.items()),
        *(f'${{{{{name}:+{option} "${name}"}}}}' for option, name in names.items()),
        '--run-record "${{log%.log}}.run.json" 2> "$log"',
    ]
    # `exec` replaces the shell by the stage, so that signals reach the stage.
    return "".join(f"{name}={{{value}:q}}; " for name, value in variables.items()) + " ".join(words)


def _torchrun(processes: str) -> str:
    """Return the words before a stage's module by which torchrun starts several processes; the shell drops them for 1.

    The line must be the same for every number of processes, since Snakemake runs a job again if its line changes.
    """
    return (
        f"$([ {{{processes}}} = 1 ] || echo diffbench.stages._ranks --standalone --nproc-per-node {{{processes}}} -m)"
    )


def chained(*lines: str) -> str:
    """Return one shell line that runs several in turn, and stops at the first that fails."""
    return " && ".join(f"({line})" for line in lines)
