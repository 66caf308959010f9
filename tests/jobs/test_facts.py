"""Facts keep the JSON of records: what is absent stays absent, what is null stays null."""

import re
from pathlib import Path

import pytest

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import Recorded
from diffbench.jobs.data_facts import Codes, DataFacts
from diffbench.jobs.features_facts import FeaturesFacts
from diffbench.jobs.sample_facts import Cost, SampleFacts, Unsampled, cost_of
from diffbench.jobs.terms_facts import TermsFacts
from diffbench.jobs.weights_facts import TrainedOn, WeightsFacts

PREPARED = {
    "num_images": 3,
    "shape": [8, 8, 1],
    "levels": 17,
    "flip": False,
    "num_classes": None,
    "class_counts": None,
    "images_sha256": "ab",
}
DATA = [
    PREPARED,
    PREPARED | {"uniform_bits_per_dim": 4.09, "histogram_bits_per_dim": None},
    PREPARED | {"num_classes": 2, "class_counts": [1, 2], "source": "cd", "full_size": [16, 16]},
]
MADE_FOR = {"shape": [8, 8, 1], "levels": 17, "num_classes": 10}
WEIGHTS = [
    MADE_FOR | {"parameters": 7, "source": {"name": "a", "class_order": None}},
    MADE_FOR | {"flip": True, "low_size": 4, "full_size": [16, 16]},
    MADE_FOR | {"flip": False, "parameters": 7, "images_sha256": "ab", "class_counts": None},
    MADE_FOR | {"num_classes": None, "flip": False, "images_sha256": None, "class_counts": [1, 2]},
]
ONE = {"nfe": 3.0, "flops_per_evaluation": 10}
SAMPLES = [
    ONE,
    ONE | {"nfe_max": 4.0, "nfe_evaluated": 4.5, "full_size": [8, 8]},
    ONE | {"classifier_evaluations": 0.0, "flops_per_classifier_evaluation": 5, "low_res": {}},
    ONE | {"low_res": ONE | {"nfe_max": 4.0, "low_res": {}}},
]


TERMS = [{"num_images": 3, "of": 5, "levels": 17, "split": "test"} | more for more in ({}, {"ssim_window": 7})]
FEATURES = [{"weights_sha256": "ab", "resize": "none", "num_images": 3, "pixels_sha256": "cd"}]
FEATURES.append(FEATURES[0] | {"moments": {"pool": "ef"}, "enlarged_to": [8, 8]})
HELD = {DataFacts: DATA, WeightsFacts: WEIGHTS, SampleFacts: SAMPLES, TermsFacts: TERMS, FeaturesFacts: FEATURES}


@pytest.mark.parametrize(("kind", "content"), [(kind, held) for kind, every in HELD.items() for held in every])
def test_what_is_read_is_written_again(kind, content):
    found = kind.read(content | {"device": "cpu"}, "a.json").as_json()
    assert found == content and list(map(type, found.values())) == [type(content[key]) for key in found]


def test_what_was_found_out_together_is_together():
    assert DataFacts.read(DATA[0], "a.json").codes is None
    assert DataFacts.read(DATA[1], "a.json").codes == Codes(uniform_bits_per_dim=4.09)
    assert WeightsFacts.read(WEIGHTS[0], "a.json").trained_on is None
    trained = WeightsFacts.read(WEIGHTS[3], "a.json")
    assert trained.trained_on == TrainedOn(class_counts=(1, 2)) and trained.class_counts == (1, 2)


def recorded(facts):
    record = Recorded(facts=facts)
    record.source = Path("a.json")
    return record


def test_real_images_cost_nothing_and_samples_what_they_were_made_from():
    assert cost_of(recorded(PREPARED)) == Unsampled()
    below = SampleFacts.read(SAMPLES[3], "a.json").low_res
    assert below == Cost(nfe=3.0, nfe_max=4.0, flops_per_evaluation=10, low_res=Unsampled())
    assert cost_of(recorded(SAMPLES[1])) == Cost(nfe=3.0, nfe_max=4.0, nfe_evaluated=4.5, flops_per_evaluation=10)


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        (WeightsFacts, {"shape": [8, 8, 1], "levels": 17}, "a.json: records no 'num_classes'"),
        (WeightsFacts, MADE_FOR | {"class_counts": [1, "2"]}, "a.json: facts.class_counts[1]: '2' is not a whole"),
        (DataFacts, PREPARED | {"flip": 1}, "a.json: facts.flip: 1 is not true or false"),
        (DataFacts, PREPARED | {"shape": 8}, "a.json: facts.shape: 8 is not"),
        (DataFacts, PREPARED | {"shape": [8, 8]}, "a.json: facts.shape: [8, 8] is not"),
        (DataFacts, PREPARED | {"shape": [0, 8, 1]}, "a.json: facts.shape: [0, 8, 1] is not positive"),
        (DataFacts, PREPARED | {"num_images": 0}, "a.json: facts.num_images: 0 is not positive"),
        (WeightsFacts, MADE_FOR | {"levels": "17"}, "a.json: facts.levels: '17' is not a whole number"),
        (WeightsFacts, MADE_FOR | {"num_classes": 1.5}, "a.json: facts.num_classes: 1.5 is not"),
        (SampleFacts, ONE | {"nfe": None}, "a.json: facts.nfe: None is not a number"),
        (SampleFacts, ONE | {"low_res": ONE | {"nfe": "x"}}, "a.json: facts.nfe: 'x' is not a number"),
        (SampleFacts, {"nfe": 3.0}, "a.json: records no 'flops_per_evaluation'"),
        (SampleFacts, ONE | {"low_res": {"nfe": 3.0}}, "a.json: records no 'flops_per_evaluation'"),
        (SampleFacts, ONE | {"low_res": 3}, "a.json: facts.low_res: 3 is not"),
    ],
)
def test_facts_that_lack_or_are_odd_are_an_error_that_names_the_record(kind, content, message):
    with pytest.raises(UserError, match=re.escape(message)):
        kind.read(content, "a.json")
