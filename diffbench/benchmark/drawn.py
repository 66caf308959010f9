"""The figures of a benchmark that are not drawn from a table, in the groups that one job each draws.

A group is drawn by one process, because starting it takes longer than drawing a figure.
"""

from functools import cached_property

from diffbench.base.names import REAL
from diffbench.benchmark import paths
from diffbench.benchmark.graph import Artifact, Graph
from diffbench.benchmark.reported import Drawing, FigureGroup, Sources
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.plot import FigurePart

MODELS, UPSAMPLING = "models", "upsampling"
"""The groups of figures that compare models, and of those that show upsamplers."""

BEFORE_AND_AFTER = "What each upsampler was given, the same enlarged, and what it made"
"""The title of the figure of upsamplers."""


class Drawn:
    """The figures of a benchmark, each made once."""

    def __init__(self, graph: Graph):
        self.graph, self.benchmark = graph, graph.benchmark

    @cached_property
    def groups(self) -> list[FigureGroup]:
        """All groups that have a figure."""
        found = [FigureGroup(MODELS, self._of_models()), FigureGroup(UPSAMPLING, self.of_upsamplers)]
        found += [FigureGroup(f"model_{name}", self._of_model(name)) for name in self._entries]
        return [group for group in found if group.drawings]

    @property
    def figures(self) -> list[Drawing]:
        """All figures."""
        return [made for group in self.groups for made in group.drawings]

    # -- the figures of each group

    def _of_models(self) -> list[Drawing]:
        """Return the figures that compare models, each with its first training seed."""
        terms, logs = self._first_terms, self._logs()
        named = {f"classifier {name}": log for name, log in self._logs_of_classifiers().items()}
        found = [self._schedules()]
        if terms:
            sources = {"terms": list(terms.values())}
            found += [self._figure(name, sources, labels=list(terms)) for name in ("rate_distortion", "vlb_terms")]
        for name, shown in (("training_curves", logs | named), ("gradient_noise", logs)):
            if shown:
                found.append(self._figure(name, {"logs": list(shown.values())}, labels=list(shown)))
        if logs and self.benchmark.validation is not None:
            found.append(self._validation_loss())
        return found

    def _validation_loss(self) -> Drawing:
        """Return the figure of the validation losses of every model that is trained here."""
        weights = {name: self.graph.model(name, seed) for name, seed in reversed(self.benchmark.trained_models())}
        shown = {name: weights[name] for name in self._logs()}
        files = [Artifact(paths.validation(made.path), made.digest, made.spec) for made in shown.values()]
        return self._figure("validation_loss", {"validation": files}, labels=list(shown))

    def _logs(self) -> dict[str, Artifact]:
        """Return the training log of every model that is trained here."""
        found: dict[str, Artifact] = {}
        for name, seed in self.benchmark.trained_models():
            found.setdefault(name, _log_of(self.graph.model(name, seed)))
        return found

    def _logs_of_classifiers(self) -> dict[str, Artifact]:
        found: dict[str, Artifact] = {}
        for name, seed in self.benchmark.used_classifiers():
            if self.benchmark.classifiers[name].checkpoint is None:
                found.setdefault(name, _log_of(self.graph.classifier(name, seed)))
        return found

    def _schedules(self) -> Drawing:
        """Return the figure of the schedules of all sampled models, which is drawn from no file."""
        chains: dict[str, int] = {}
        for row in self._rows:
            diffusion = self.benchmark.variant(row.model).diffusion
            chains[diffusion.schedule] = max(diffusion.timesteps, chains.get(diffusion.schedule, 0))
        steps = sorted({row.steps for row in self._rows if row.steps})
        part = FigurePart("schedules", {"chains": chains, "steps": steps})
        return Drawing.drawn(paths.figure("schedules"), part, self.graph, {})

    @cached_property
    def of_upsamplers(self) -> list[Drawing]:
        """The figure of what each upsampler was given and made; of real images, also of the true ones."""
        shown = self._before_and_after()
        if not shown:
            return []
        return [
            self._figure("upsampling", {"images": list(shown.values())}, labels=list(shown), title=BEFORE_AND_AFTER)
        ]

    def _of_model(self, name: str) -> list[Drawing]:
        """Return the figures of one model."""
        found = [self._samples(name)]
        if name in self._first_terms:
            sources = {"terms": self._first_terms[name]}
            title = f"{name}: test images as their bits arrive"
            found.append(self._figure("progressive", sources, title=title, file=f"progressive_{name}"))
        if name in self.benchmark.traced_models():
            found += self._traced(name)
        return [*found, self._neighbours(name)]

    def _traced(self, name: str) -> list[Drawing]:
        """Return the figures of a model's samples on their way, and of images between two draws of noise."""
        titles = {
            "progressive_generation": f"{name}: samples as they take shape",
            "interpolation": f"{name}: images from noise between two draws",
        }
        sources = {"traces": self.graph.traces(name)}
        return [self._figure(figure, sources, title=title, file=f"{figure}_{name}") for figure, title in titles.items()]

    def _neighbours(self, name: str) -> Drawing:
        """Return the figure of the training images that are nearest to a model's first samples.

        The samples are those with the most steps, of the first sampler that has so many, at the entry's own scale.
        """
        row = max(self.shown_rows(name), key=lambda row: (row.model == name, row.steps))
        train = self.graph.data("train", self.benchmark.models[name].size)
        sources: dict[str, Artifact] = {"samples": self.graph.samples(row), "training": train}
        protocol = self._with_training_features(row)
        if protocol is not None:
            extractor = self.benchmark.extractor_of(protocol)
            sources["features"] = self.graph.features(extractor, row)
            sources["training_features"] = self.graph.real_features(extractor, "train")
        title = f"{name}, {self._label(row)}: samples and their nearest training images"
        return self._figure("nearest_neighbours", sources, title=title, file=f"nearest_neighbours_{name}")

    def _with_training_features(self, row: SampleSet) -> str | None:
        """Return a protocol of a row for which the features of training images are extracted too; None if none is.

        Smaller images are enlarged before their features are taken, so they are not compared with training images,
        whose features are those of the full size.
        """
        if self.benchmark.variant(row.model).size is not None:
            return None
        splits = {name: (self.graph.reference_split(name), self.graph.other_split(name)) for name in row.protocols}
        return next((name for name, pair in splits.items() if "train" in pair), None)

    def _samples(self, model: str) -> Drawing:
        """Return the figure of a model's samples, below real images."""
        shown = self.shown_rows(model)
        sources: Sources = {
            "real": self.graph.data("test", self.benchmark.models[model].size),
            "images": [self.graph.samples(row) for row in shown],
        }
        labels, title = [self._label(row) for row in shown], f"Samples of {model}, by sampler and steps"
        return self._figure("samples", sources, labels=labels, title=title, file=f"samples_{model}")

    # -- what they show

    @cached_property
    def _entries(self) -> list[str]:
        """The entries of models whose samples are in the table."""
        return list(dict.fromkeys(row.entry for row in self._rows))

    @cached_property
    def _rows(self) -> list[SampleSet]:
        return self.benchmark.sample_sets()

    @cached_property
    def _first_terms(self) -> dict[str, Artifact]:
        """The terms of every model's bound on test images, each with its first training seed."""
        found: dict[str, Artifact] = {}
        for model, seed in self.benchmark.bounded_models():
            found.setdefault(model, self.graph.terms(model, seed, "test"))
        return found

    def shown_rows(self, model: str) -> list[SampleSet]:
        """Return the rows in a model's figure: each sampler, number of steps and scale, with the first seeds."""
        own = [row for row in self._rows if row.entry == model]
        seeds = own[0].train_seed, own[0].sample_seed
        order = list(self.benchmark.samplers)
        return sorted(
            (row for row in own if (row.train_seed, row.sample_seed) == seeds),
            key=lambda row: (order.index(row.sampler), row.steps, self._scale(row) or 0),
        )

    def _label(self, row: SampleSet) -> str:
        scale = self._scale(row)
        below = self.benchmark.low_res_set(row)
        steps = f"{row.steps} steps" if row.steps else "adaptive"
        if below is not None:
            steps = f"{below.steps or 'adaptive'} + {steps}"
        return f"{row.sampler}, {steps}" + ("" if scale is None else f", scale {scale:g}")

    def _scale(self, row: SampleSet) -> float | None:
        guidance = self.benchmark.variant(row.model).guidance
        return None if guidance is None else guidance.part.scale

    def _before_and_after(self) -> dict[str, Artifact]:
        """Return {label: images}: for every upsampler, the images that it started from and its first sample set."""
        found: dict[str, Artifact] = {}
        for row in self.benchmark.upsampling_rows():
            given, model = self.graph.low_res(row), self.benchmark.variant(row.model)
            if given is None or model.low_res is None or f"{row.model}, given" in found:
                continue
            found[f"{row.model}, given"] = given
            found[f"{row.model}, upsampled"] = self.graph.samples(row)
            if model.low_res.model == REAL:
                found[f"{row.model}, true"] = self.graph.data("test", model.size)
        return found

    def _figure(
        self, name: str, sources: Sources, *, labels: list[str] | None = None, title: str = "", file: str = ""
    ) -> Drawing:
        """Return a figure. title, file: given only if they are not the figure's own title and name."""
        part = FigurePart(name, {"title": title} if title else {})
        return Drawing.drawn(paths.figure(file or name), part, self.graph, sources, labels or [])


def _log_of(weights: Artifact) -> Artifact:
    """Return the training log that was written with weights."""
    return Artifact(paths.training_log(weights.path), weights.digest, weights.spec)
