"""The keys of a benchmark's file as rows of a reference."""

import dataclasses

from diffbench.base import plugins
from diffbench.benchmark.reference import described, sections
from diffbench.benchmark.written import CLASSIFIER_KEYS, MODEL_KEYS, SECTIONS

KEYS = list(described())


def test_every_key_has_a_type_and_a_description():
    untold = [f"{key.section}.{key.key}" for key in KEYS if not key.description or not key.type]
    assert untold == [], "write 'name: text.' in the class's docstring, or a docstring below the field"


def test_every_field_of_every_part_and_every_key_of_the_loader_is_there():
    held = {(key.section, key.key) for key in KEYS}
    assert len(held) == len(KEYS)
    assert {key for section, key in held if section == "the file"} == set(SECTIONS)
    assert {key for section, key in held if section == "models.NAME"} == set(MODEL_KEYS)
    assert {key for section, key in held if section == "classifiers.NAME"} == set(CLASSIFIER_KEYS)
    for folder in ("datasets", "networks", "objectives", "guidance", "samplers", "extractors", "protocols", "metrics"):
        for name in plugins.names(folder):
            fields = {field.name for field in dataclasses.fields(plugins.load(folder, name)) if field.init}
            assert {key for section, key in held if section == f"{folder}: {name}"} == fields


def test_rows_say_types_and_defaults_as_a_file_has_them():
    rows = {(key.section, key.key): key for key in KEYS}
    steps = rows["models.NAME.training", "steps"]
    assert (steps.type, steps.default) == ("whole number", "800000")
    assert rows["runs[]", "protocols"].default is None
    assert rows["runs[]", "train_seeds"].default == "[0]"
    assert rows["networks: unet", "norm_eps"].default == "1.0e-05"
    assert rows["networks: noisy_classifier", "encoder"].default == ""
    assert rows["models.NAME", "schedule"].type == "dotted path or linear, cosine"
    assert all(section.summary for section in sections())
