"""Made records of models, samples and scores, for claims whose verdict is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.arrays import save_npz
from diffbench.base.digests import sha256
from diffbench.base.provenance_file import provenance_path, write_recorded
from diffbench.base.records import Estimate, Row, record, write_records
from diffbench.comparison.claims._evidence import Evidence, evidence_of

PROTOCOL = "protocol=classifier@1;extractor=digits_features@7a8108d6;n=100"
DIFFUSION = {"parameterization": "eps", "schedule": "linear", "timesteps": 100, "variance": "fixed_large"}
NETWORK = {"name": "unet", "channels": 8, "dropout": 0.0, "class_conditional": False, "scale_shift": True}

Scores = Mapping[str, float | tuple[float, float, float]]


@dataclass
class Made:
    """A folder of results that grows by made records. Settings are given as in a record: `objective={"name": "vlb"}`."""

    results: Path
    weights: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    def model(self, name: str, seeds: Sequence[int] = (0,), data: str = "d", **settings: Mapping[str, Any]) -> None:
        """Add trained models; settings: what differs from the defaults in diffusion, network, objective, training."""
        defaults = {
            "diffusion": DIFFUSION,
            "network": NETWORK,
            "objective": {"name": "simple"},
            "training": {"steps": 9},
        }
        spec = {key: {**value, **settings.get(key, {})} for key, value in defaults.items()}
        for seed in seeds:
            path = self._written(
                f"models/{name}/train{seed}/weights.safetensors", {**spec, "seed": seed}, {"data": data}
            )
            self.weights[name, seed] = {"path": path, "spec": spec}

    def samples(
        self,
        model: str,
        scores: Sequence[Scores],
        *,
        sampler: Mapping[str, Any] | None = None,
        name: str = "ancestral",
        steps: int = 25,
        scale: float | None = None,
        protocol: str = PROTOCOL,
        spacing: str | None = None,
        features: Sequence[Path] = (),
        reference: Path | None = None,
        images: Sequence[np.ndarray] = (),
        low_res: tuple[str, float | None] | None = None,
        **settings: Any,
    ) -> None:
        """Add sample sets with their scores, one for each training seed from 0 on; features, images: those of each.

        low_res: the model whose 25 ancestral steps an upsampler enlarges, and its scale of guidance.
        """
        for seed, values in enumerate(scores):
            of = self.weights[model, seed]
            shown = model if scale is None else f"{model}@{scale:g}"
            place = f"{shown}/train{seed}/{name}/sample0/{steps}"
            spec = {
                **{key: of["spec"][key] for key in ("diffusion", "network")},
                **{"sampler": dict(sampler or {"name": "ancestral"}), "spacings": [spacing or str(steps)]},
                **{"guidance": None if scale is None else {"name": "classifier", "scale": scale}, "weights": "ema"},
                **{"num_images": 100, "seed": 0, **settings},
            }
            arrays, inputs = {"arr_0": images[seed]} if images else None, {"weights": sha256(of["path"])}
            files = {"weights": of["path"]}
            if low_res is not None:
                base, base_scale = low_res
                base_name = base if base_scale is None else f"{base}@{base_scale:g}"
                spec["low_res"] = {"model": base_name, "sampler": "ancestral", "steps": 25}
                files["low_res"] = self.results / f"samples/{base_name}/train{seed}/ancestral/sample0/25.npz"
            samples = self._written(f"samples/{place}.npz", spec, inputs, arrays, **files)
            row = Row("made", model, name, steps, scale, seed, 0, 100)
            sources = {"samples_provenance": provenance_path(samples)}
            if reference is not None:
                sources |= {"features": features[seed], "reference": reference}
            self._scored(f"scores/digits/{place}.json", row, values, protocol, **sources)

    def real(self, scores: Scores, features: Path, reference: Path, protocol: str = PROTOCOL) -> None:
        """Add the scores of held-out images, as if they were sampled."""
        row = Row("made", "real", num_images=100)
        self._scored("scores/digits/real.json", row, scores, protocol, features=features, reference=reference)

    def bound(
        self, model: str, scores: Sequence[Scores], terms: Sequence[Mapping[str, np.ndarray]] = (), **settings: Any
    ) -> None:
        """Add the scores of a model itself, one for each training seed; terms: the arrays for each seed and split."""
        for seed, values in enumerate(scores):
            of, files = self.weights[model, seed], {}
            for split in ("test", "train"):
                spec = {key: of["spec"][key] for key in ("diffusion", "network")}
                spec |= {"bound": {"timesteps": 4}, "split": split, "weights": "ema", **settings}
                arrays = terms[seed] if terms else {"bits_per_dim": np.zeros(3)}
                inputs = {"weights": sha256(of["path"])}
                path = f"terms/{model}/train{seed}/{split}.npz"
                files[f"terms_{split}"] = self._written(path, spec, inputs, arrays, weights=of["path"])
            row = Row("made", model, train_seed=seed, num_images=40)
            self._scored(f"scores/bound/{model}/train{seed}.json", row, values, "bound;strata=4", **files)

    def trace(self, model: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Add samples of a model, of its first training seed, on their way from noise."""
        of = self.weights[model, 0]["path"]
        self._written(f"traces/{model}/train0.npz", {}, {"weights": sha256(of)}, arrays, weights=of)

    def features(self, place: str, pool: np.ndarray) -> Path:
        """Write features and return their path. place: of the file below the features' folder."""
        return self._written(f"features/digits_features/{place}.npz", {}, {}, {"pool": pool})

    def evidence(self) -> Evidence:
        """Return the evidence in the folder."""
        return evidence_of(self.results)

    def _scored(self, place: str, row: Row, scores: Scores, protocol: str, **sources: Path) -> None:
        path = self.results / place
        path.parent.mkdir(parents=True, exist_ok=True)
        ends = {
            metric: value if isinstance(value, tuple) else (value, value - 1, value + 1)
            for metric, value in scores.items()
        }
        write_records(path, [record(row, metric, protocol, Estimate(*value)) for metric, value in ends.items()])
        inputs = {name: sha256(source) for name, source in sources.items()}
        part = {"name": "classifier", "extractor": "digits_features", "metrics": ["fid"]}
        _record(path, {"protocol": part}, inputs, self._places(sources))

    def _written(
        self,
        place: str,
        spec: Mapping[str, Any],
        inputs: Mapping[str, str],
        arrays: Mapping[str, np.ndarray] | None = None,
        **sources: Path,
    ) -> Path:
        path = self.results / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if arrays is None:
            path.write_text(place)
        else:
            save_npz(path, arrays)
        _record(path, spec, inputs, self._places(sources))
        return path

    def _places(self, sources: Mapping[str, Path]) -> dict[str, str]:
        return {name: f"results/{path.relative_to(self.results)}" for name, path in sources.items()}


def _record(path: Path, spec: Mapping[str, Any], inputs: Mapping[str, str], places: Mapping[str, str]) -> None:
    content = {"artifact": path.name, "sha256": sha256(path), "inputs": dict(inputs), "places": dict(places)}
    write_recorded(provenance_path(path), {**content, "spec": dict(spec), "facts": {}, "versions": {}, "threads": 1})
