"""What a run of the workflow says: a line for each finished job, signs of life, failed jobs, and the result at the end.

workflow/rules/setup.smk calls `reporting` (run.py) first of all. How a line comes about:

    Snakemake's records -> events.py -> progress.py (the jobs that wait, run and are done) -> terminal.py
    a clock             -> heartbeat.py, which reads progress.py and the ends of the running jobs' logs
    a failed job        -> failures.py, the end of its log and the signal that ended it
    the end of the run  -> outcome.py, the table, the paths and the next commands

words.py has the words for jobs and times, remaining.py the expected time left. Nothing here changes a result.
"""
