"""What every protocol must keep: it is data, its id names all that decides a comparison, and its options exist."""

import dataclasses

import pytest

from diffbench.base import plugins
from diffbench.base.errors import UserError
from diffbench.protocols._contract import Protocol, protocol_id

NAMES = plugins.names("protocols")


def identity(part, name, **changed):
    options = {
        metric: dataclasses.asdict(plugins.configure(plugins.load("metrics", metric), part.metric_settings(metric), ""))
        for metric in part.metrics
    }
    given = {
        "extractor_sha256": "a" * 64,
        "rounding": "truncate",
        "num_images": 500,
        "reference_sha256": "b" * 64,
        "num_reference": 700,
        "options": options,
    }
    return part.identity(name, **(given | changed))


@pytest.mark.parametrize("name", NAMES)
def test_is_data_with_a_source_and_metrics_that_its_extractor_serves(name):
    part = plugins.load("protocols", name)()
    assert isinstance(part, Protocol) and type(part).__dataclass_params__.frozen
    assert part.source and part.deviations and part.version >= 1
    entry = dict(part.extractor_entry)
    extractor = plugins.configure(plugins.load("extractors", entry.pop("name")), entry, "extractor")
    part.require(resize=extractor.resize)
    for metric in part.metrics:
        metric = plugins.configure(plugins.load("metrics", metric), part.metric_settings(metric), metric)
        assert metric.features in extractor.features


@pytest.mark.parametrize("name", NAMES)
def test_the_id_tells_apart_what_does_not_compare(name):
    part = plugins.load("protocols", name)()
    own = protocol_id(identity(part, name))
    assert own == protocol_id(identity(part, name)) and "seed" not in own.replace("shuffle_seed", "")
    changes = {
        "extractor_sha256": "c" * 64,
        "rounding": "round",
        "num_images": 501,
        "reference_sha256": "d" * 64,
        "num_reference": 701,
    }
    for key, value in changes.items():
        assert protocol_id(identity(part, name, **{key: value})) != own, key
    test = dataclasses.replace(part, reference="test")
    assert protocol_id(identity(test, name)) != own


def test_settings_of_metrics_are_in_the_id():
    classifier = plugins.load("protocols", "classifier")
    ids = {protocol_id(identity(classifier(k=k, manifold=manifold), "")) for k in (3, 5) for manifold in (100, 10_000)}
    assert len(ids) == 4
    found = identity(plugins.load("protocols", "adm")(), "adm", num_reference=50_000)
    assert found["precision.num_reference"] == 10_000 and found["inception_score.chunk"] == 5000


def test_settings_of_an_entry_are_laid_over_the_protocols_own_and_stand_in_the_id():
    part = plugins.load("protocols", "torch_fidelity")
    entry = {"settings": {"kid": {"subset_size": 50}}}
    changed = plugins.configure(part, entry, "protocols.a")
    assert changed.metric_settings("kid") == {"subsets": 100, "subset_size": 50}
    assert identity(changed, "a")["kid.subset_size"] == 50 and identity(part(), "a")["kid.subset_size"] == 1000
    logits = plugins.configure(part, {"settings": {"fid": {"features": "logits"}}}, "protocols.a")
    assert identity(logits, "a")["fid.features"] == "logits" and "fid.features" not in identity(part(), "a")
    with pytest.raises(UserError, match="settings: 'kidd' is not among the metrics"):
        plugins.configure(part, {"settings": {"kidd": {}}}, "protocols.a")


def test_published_protocols_are_what_the_papers_code_does():
    """Facts from the evaluators' code; a change here is a new version."""
    adm, ddpm = (plugins.load("protocols", name)() for name in ("adm", "ddpm"))
    assert adm.num_images == 50_000 and adm.rounding == "truncate" and adm.resize == "tf1"
    assert adm.metric_options("recall") == {"k": 3, "num_reference": 10_000}
    assert [ddpm.reference_images(n) for n in (50_000, 10_000, 100)] == [49_920, 9_984, 100]
    fidelity = plugins.load("protocols", "torch_fidelity")()
    assert fidelity.metric_options("inception_score") == {"splits": 10, "shuffle_seed": 2020}


def test_a_reference_is_a_split_or_a_file():
    adm = plugins.load("protocols", "adm")
    assert adm(reference="VIRTUAL.npz").reference_file.name == "VIRTUAL.npz" and adm().reference_file is None
    with pytest.raises(UserError, match="reference 'validation' is not allowed; allowed: train, test, or a path"):
        plugins.configure(adm, {"reference": "validation"}, "protocols.a")
