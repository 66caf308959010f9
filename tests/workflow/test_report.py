"""`snakemake --report`: it shows every table, every figure and the page, and leaves the records as they are."""


def test_it_shows_all_results_with_captions_and_nothing_is_to_be_done_after_it(recorded):
    results = recorded.root / "results"
    shown = [path for path in results.iterdir() if path.suffix in (".csv", ".html")]
    shown += (results / "figures").glob("*.png")
    assert len(shown) > 20 and results / "report.html" in shown
    recorded.forked("--cores", "1", "--report", "report.html", "--", "all")
    page = (recorded.root / "report.html").read_text()
    (recorded.root / "report.html").unlink()
    assert [path.name for path in shown if f'"{path.name}"' not in page] == []
    assert all(f'"{name}"' in page for name in ("Tables", "Figures", "Page"))
    assert "A lower FID is better" in page, "a caption"
    assert recorded.plan() == []
