"""The page in the workflow: made after all tables and figures, and left out, with a note, if itables is missing."""

import subprocess

PAGE = "results/report.html"


def test_the_page_follows_all_tables_and_figures_and_no_samples(recorded):
    asked = recorded.snakemake("-n", PAGE, "--forcerun", "page").stdout
    assert asked.count("rule page:") == 1 and "rule sample:" not in asked
    (inputs,) = {line for line in asked.splitlines() if line.startswith("    input: ")}
    for name in (
        "table2.csv",
        "table4.csv",
        "rate_distortion.csv",
        "figures/fid_vs_steps.png",
        "figures/samples_ddpm.png",
    ):
        assert f"results/{name}" in inputs
    assert "samples/" not in inputs and "table3" not in inputs
    # Samples that were removed are not made again for the page, and it is made only if it is asked for.
    (recorded.root / "results/samples/ddpm/train0/ddim/sample0/2.npz").unlink()
    (recorded.root / PAGE).unlink()
    try:
        assert "rule sample:" not in recorded.snakemake("-n", PAGE).stdout
        assert recorded.nothing_to_do("results/table2.csv")
    finally:
        (recorded.root / PAGE).touch()
        (recorded.root / "results/samples/ddpm/train0/ddim/sample0/2.npz").touch()


def test_without_itables_a_run_says_at_its_start_that_the_page_is_left_out(recorded, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['itables'] = None\n")
    environment = recorded.environment | {"PYTHONPATH": str(tmp_path)}
    command = ["snakemake", "--cores", "2", "-n", "--forcerun", "table2"]
    done = subprocess.run(command, cwd=recorded.root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (note,) = (line for line in done.stderr.splitlines() if "report.html" in line)
    assert "left out" in note and "pip install 'diffbench[report]'" in note
    assert "rule page" not in done.stdout and "rule table2:" in done.stdout
