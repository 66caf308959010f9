"""The benchmark as a graph of files: results/table2.csv and its figures, from the data to the table.

snakemake --cores all results/table2.csv
snakemake --cores all results/table2.csv --configfile workflow/config/<benchmark>.yaml
"""


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
include: "workflow/rules/guard.smk"


rule all:
    default_target: True
    input:
        rules.table2.output,
        rules.table4.output if GUIDED else [],
        rules.table5.output if UPSAMPLING else [],


onstart:
    if not OF_COMPARISON:
        remember_configuration(HOME, CONFIGURED_BY)


onsuccess:
    if Path("results/logs").is_dir():
        subprocess.run([sys.executable, "-m", "diffbench.commands.costs", "results/logs"], check=False)


onerror:
    print_reasons_of_failure()
