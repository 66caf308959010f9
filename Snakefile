"""The workflow of a benchmark, from the data to results/table2.csv and its figures.

snakemake --cores all results/table2.csv
snakemake --cores all results/table2.csv --configfile workflow/config/<benchmark>.yaml
"""


include: "workflow/rules/setup.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/shrink.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/convert.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/bound.smk"
include: "workflow/rules/extract.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/plot.smk"
include: "workflow/rules/tabulate.smk"
include: "workflow/rules/compare.smk"


rule all:
    default_target: True
    input:
        rules.table2.output,
        rules.table4.output if summary.guided else [],
        rules.table5.output if summary.upsampling else [],


onstart:
    if not start.of_comparison:
        remember_configuration(HOME, start.named_by)


onsuccess:
    if Path(LOGS).is_dir():
        subprocess.run([sys.executable, "-m", "diffbench.commands.costs", LOGS], check=False)


onerror:
    for line in reasons_of_failure(HOME, since=BEGAN):
        say(line)
