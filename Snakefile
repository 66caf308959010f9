"""The workflow of a benchmark, from the data to results/table2.csv and its figures.

snakemake --cores all results/table2.csv
snakemake --cores all results/table2.csv --configfile workflow/config/<benchmark>.yaml
"""


include: "workflow/rules/setup.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/shrink.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/convert.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/bound.smk"
include: "workflow/rules/trace.smk"
include: "workflow/rules/extract.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/plot.smk"
include: "workflow/rules/tabulate.smk"
include: "workflow/rules/page.smk"
include: "workflow/rules/compare.smk"


rule all:
    default_target: True
    input:
        rules.table2.output,
        rules.claims.output,
        rules.table4.output if summary.guided else [],
        rules.table5.output if summary.upsampling else [],
        PAGE,


onstart:
    if not start.of_comparison:
        remember_configuration(HOME, start.named_by)
    if workflow.touch:
        speaker.silence()
    else:
        todo = jobs_of(workflow.dag, HOME)
        speaker.begins(todo, beginning(bench.name, stages_of(todo), workflow.resource_settings.cores))


onsuccess:
    speaker.succeeds([] if start.of_comparison else time_line(speaker.progress, nearby(HOME / LOGS, HERE)))


onerror:
    speaker.fails(workflow.scheduler.finished_jobs)
    if note := full_disk(HOME):
        say(note)
