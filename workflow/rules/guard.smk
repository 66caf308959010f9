"""What stands in the tree and is of other settings, code or data, though Snakemake would not make it again.

Snakemake judges by its own records (.snakemake/metadata). Where they are missing (results that were copied, a pull without
them), were written anew (--touch), or are not asked (--rerun-triggers mtime), an old table would stand under a new
configuration. The record beside each artifact says what it is really of.
"""

TABLES = [
    Artifact("results/table2.csv", spec_digest(TABLE2)),
    Artifact("results/table3.csv", spec_digest(TABLE3)),
    *BESIDE,
]


def asked(*options):
    """Return whether the command has one of these options; Snakemake's own settings are not there yet."""
    return any(word.split("=")[0] in options for word in sys.argv)


def outdated():
    """Return the paths of artifacts whose own record is of another spec, and that Snakemake takes for good."""
    by_records = not asked("--rerun-triggers")
    found = []
    for made in (*graph.everything(), *TABLES):
        spec = glanced(Path(made.record)).get("spec")
        if spec is not None and spec_digest(spec) != made.digest and not (by_records and will_run(made)):
            found.append(made.path)
    return found


def will_run(made):
    """Return whether Snakemake's own record of an outdated artifact tells it to make it again."""
    specs = snakemake_specs(HOME, made.path)
    # The job's spec may be of several outputs; what it is made from and by is the same for all of them.
    return bool(specs) and all(spec_digest(spec) != made.digest for spec in specs)


# A job that an executor started, and commands that make nothing, are no runs.
NO_RUN = ("--mode", "--unlock", "--delete-all-output")
OUTDATED = [] if asked("--forceall", "-F", *NO_RUN) else outdated()
if OUTDATED:
    more = f" and {len(OUTDATED) - 1} more" if len(OUTDATED) > 1 else ""
    stop(
        f"{HOME}: {OUTDATED[0]}{more} are of other settings, code or data than this configuration, and Snakemake's records "
        "(.snakemake/metadata) do not show it: they are missing, or --touch or --rerun-triggers made them so; bring the "
        "records back (dvc checkout), or make all again with --forceall"
    )

if not asked("--forceall", "-F", *NO_RUN):
    say_outdated(HOME, graph.everything(), sys.stderr.write)

try:
    # An edited table is asked for and there, so Snakemake has nothing to do.
    if not asked("--forceall", "-F", "--force", "-f", "--forcerun", "-R", *NO_RUN):
        tables = {made.path for made in TABLES if made.path.endswith(".csv") and Path(made.path).is_file()}
        checked({table: table for table in tables if "spec" in glanced(Path(f"{table}.json"))})
except UserError as error:
    stop(error)
