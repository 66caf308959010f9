"""Runs of a program in forks of one process that has imported it, and what it imports, once.

python -P forks.py PROGRAM ENTRY MODULE ... imports the modules; ENTRY is the program's function, as module:name. A line
on stdin is a request in JSON: arguments, folder, environment, and the files for what is said. Its answer is a line with
the exit code. The entry __main__:python stands for `python -c CODE ARGUMENTS`, without the option.
"""

import atexit
import gc
import importlib
import json
import os
import sys
import threading


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


def ended(run):
    """End this process as Python does after `run`, but leave to the system what was imported.

    To take all modules apart is most of the time of a short command.
    """
    try:
        run()
    except SystemExit as leaving:
        threading._shutdown()
        atexit._run_exitfuncs()
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None))
    sys.exit("the program returned")


def python():
    """Run the code that is the first argument, as `python -c CODE ARGUMENTS` does."""
    code, sys.argv = sys.argv[1], ["-c", *sys.argv[2:]]
    exec(code, {"__name__": "__main__"})
    sys.exit(0)


def main(program, entry, *modules):
    for name in modules:
        importlib.import_module(name)
    module, _, function = entry.partition(":")
    run = getattr(importlib.import_module(module), function)
    gc.collect()
    gc.freeze()  # so that no fork goes through what was imported
    answers, requests = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0))
    while line := requests.readline():
        child = os.fork()
        if child == 0:
            become(program, json.loads(line))
            ended(run)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


main(*sys.argv[1:])
