"""Jobs as JSON and back."""

from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.extractor import ExtractorPart


def test_one_record_names_its_own_source_alone():
    job = ExtractJob(extractor=ExtractorPart("a"), threads=1, upstream={"images": ("x", "y"), "weights": "w"})
    assert job.of_one("images", 1).as_json() == job.as_json() | {"upstream": {"images": "y", "weights": "w"}}
    alone = ExtractJob.read(job.as_json() | {"upstream": {"images": "y", "weights": "w"}})
    assert alone.of_one("images", 0) == alone == job.of_one("images", 1)
    assert ExtractJob(extractor=ExtractorPart("a"), threads=1).of_one("images", 0).as_json() == {
        "extractor": {"name": "a"},
        "threads": 1,
    }
