"""Snakemake in forks of one process that has imported it, and torch, once.

A line on stdin is a request in JSON: arguments, folder, environment, and the files for what is said. Its answer is a
line with the exit code. Nothing of diffbench is imported before the fork, since every checkout has its own.
"""

import json
import os
import sys

import snakemake.cli
import torch  # noqa: F401  (most of the time of a start)


def become_snakemake(request):
    """Make this process what `snakemake ARGUMENTS` is in a shell: its folder, environment, output and arguments."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for descriptor, name in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    sys.argv = ["snakemake", *request["arguments"]]


def main():
    answers, requests = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0))
    while line := requests.readline():
        child = os.fork()
        if child == 0:
            become_snakemake(json.loads(line))
            snakemake.cli.main()
            sys.exit("Snakemake returned")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


main()
