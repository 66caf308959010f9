"""Jobs as JSON and back."""

import pytest

from diffbench.base.errors import UserError
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.extractor import ExtractorPart
from diffbench.jobs.sample import SampleJob


def test_a_job_read_from_its_json_is_the_job():
    job = ExtractJob(extractor=ExtractorPart("a"), threads=1, upstream={"images": "x", "weights": "w"})
    assert ExtractJob.read(job.as_json()) == job
    bare = ExtractJob(extractor=ExtractorPart("a"), threads=1)
    assert bare.as_json() == {"extractor": {"name": "a"}, "threads": 1}


@pytest.mark.parametrize("spacings", [[], ["3", "2"]])
def test_a_sample_job_has_one_spacing(spacings):
    spec = {"network": {"name": "unet"}, "diffusion": {}, "weights": "ema", "sampler": {"name": "ddim"}}
    spec |= {"sampling": {}, "num_images": 2, "seed": 0, "threads": 1, "spacings": ["3"]}
    assert SampleJob.read(spec).spacing == "3"
    with pytest.raises(UserError, match=rf"--spec: spacings must be a list of one, not of {len(spacings)}"):
        SampleJob.read(spec | {"spacings": spacings})
