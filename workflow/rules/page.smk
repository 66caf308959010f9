"""The page of all results. It shows what the run cost, so it has no record, and nothing is made from it."""

from diffbench.page.html import look
from diffbench.page.itables_bundle import INSTALL, is_installed

PAGE = [paths.PAGE] if is_installed() else []
if not PAGE:
    say(f"{paths.PAGE} is left out, since itables is not installed: {INSTALL}")


# Files that the page would miss are named in it, so only tables and figures are inputs: samples that were removed are
# not made again for it.
rule page:
    input:
        tables=[made.path for made in summary.tables() if made.path not in summary.table3.made],
        figures=[path for group in summary.groups() for path in group.made],
    output:
        page=marked(paths.PAGE, "Page", "page", page="all results"),
    log:
        paths.log("report", "page"),
    params:
        look=look(),
    localrule: True
    shell:
        "exec {sys.executable:q} -m diffbench report results --out {output.page:q} > {log:q} 2>&1"
