"""The shell line of a rule of the workflow, which runs one stage.

Snakemake puts the rule's files and parameters in where braces are, each quoted by `:q`, so that spaces, quotes and `$`
in a path reach the stage as they are.
"""

from collections.abc import Mapping
from types import MappingProxyType

NONE: Mapping[str, str] = MappingProxyType({})


def call(stage: str, arguments: Mapping[str, str], *, optional: Mapping[str, str] = NONE, log: str = "log") -> str:
    """Return the shell line of a rule that runs a stage with the rule's `params.spec`.

    arguments: the stage's options, and what the rule calls the value of each: {"--data": "input.data"}. optional: the
    same, of those that are left out where the rule has no such file. log: what the rule calls its log; the record of
    what the job cost lies beside it.
    """
    names = {option: option.strip("-").replace("-", "_") for option in optional}
    variables = {"log": log} | {names[option]: value for option, value in optional.items()}
    words = [
        "exec {sys.executable:q} -m diffbench.stages." + stage,
        "--spec {params.spec:q}",
        *(f"{option} {{{value}:q}}" for option, value in arguments.items()),
        *(f'${{{{{name}:+{option} "${name}"}}}}' for option, name in names.items()),
        '--run-record "${{log%.log}}.run.json" 2> "$log"',
    ]
    # The stage takes the shell's place by `exec`, so that a signal reaches it.
    return "".join(f"{name}={{{value}:q}}; " for name, value in variables.items()) + " ".join(words)


def chained(*lines: str) -> str:
    """Return one shell line that runs several, each if the one before it succeeded."""
    return " && ".join(f"({line})" for line in lines)
