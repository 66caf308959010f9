"""Runs of a program in forks of one process that has imported it, and what it imports, once.

python -P forks.py PROGRAM ENTRY MODULE ... imports the modules; ENTRY is the program's function, as module:name. A line
on stdin is a request in JSON: arguments, folder, environment, and the files for what is said. Its answer is a line with
the exit code.
"""

import importlib
import json
import os
import sys


def become(program, request):
    """Make this process what `PROGRAM ARGUMENTS` is in a shell: its folder, environment, output and arguments."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for descriptor, name in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    sys.argv = [program, *request["arguments"]]


def main(program, entry, *modules):
    for name in modules:
        importlib.import_module(name)
    module, _, function = entry.partition(":")
    run = getattr(importlib.import_module(module), function)
    answers, requests = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0))
    while line := requests.readline():
        child = os.fork()
        if child == 0:
            become(program, json.loads(line))
            run()
            sys.exit(f"{program} returned")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


main(*sys.argv[1:])
