"""The text of a new benchmark's file, with a comment for every choice."""

import json
import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.commands.missing import TABLE, making
from diffbench.commands.new.facts import Facts
from diffbench.commands.new.scoring import Scoring
from diffbench.commands.new.sizes import BATCH, Sizes
from diffbench.commands.plan.words import jobs_beside

COLUMN = 44
"""The column at which comments begin."""

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
NOT_TEXTS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
"""Words that readers of YAML 1.1 or 1.2 take for other values."""

THREADS = 1
"""The threads of each job."""

WARM_UP = 100
"""Steps in which the learning rate rises, as in the default benchmark; a tenth of a training if that is shorter."""


@dataclass(frozen=True)
class Head:
    """What the file says of itself.

    path: of the data, from the file's folder on. file: its own name. options: those of the command that wrote it.
    schema: the path, from the file's folder on, of the schema for editors; None if there is none.
    """

    name: str
    path: str | None
    file: str
    options: str
    minutes: float
    workers: int
    schema: str | None = None


def yaml_text(head: Head, facts: Facts, scoring: Scoring, sizes: Sizes) -> str:
    """Return the file of a benchmark."""
    parts = [
        _top(head, facts),
        _dataset(head.path, facts, sizes),
        _models(sizes),
        _samplers(sizes, facts),
        _scoring(scoring),
        _runs(sizes),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _top(head: Head, facts: Facts) -> list[str]:
    return [
        *([] if head.schema is None else [f"# yaml-language-server: $schema={head.schema}"]),
        f"# A benchmark of {facts.num_train + facts.num_test:,} images. This command wrote it:",
        "#",
        f"#     diffbench new {facts.named} {head.options}",
        "#",
        f"# Its sizes fill about {head.minutes:g} minutes of the machine on which it was written,",
        f"# with {jobs_beside(head.workers)}.",
        f"# `diffbench plan {shlex.quote(head.file)}` says how long it takes on yours.",
        f"# This command makes runs/{head.name}/results/table2.csv:",
        "#",
        f"#     {making(TABLE, Path(head.file))}",
        "#",
        "# You may change every value. `diffbench check` then says whether the file still fits the data. What depends",
        "# on a changed value is made again, and the rest is kept.",
        _line(f"benchmark: {head.name}", "every benchmark needs its own name"),
    ]


def _dataset(path: str | None, facts: Facts, sizes: Sizes) -> list[str]:
    entry = dict(facts.entry)
    lines = ["dataset:", f"  name: {entry.pop('name')}"]
    if path is not None:
        lines.append(_line(f"  path: {_scalar(path)}", "a relative path starts at the folder of this file"))
    if "size" in facts.notes:
        lines += [
            _line(f"  size: {sizes.side}", f"pixels across, after a central crop; {facts.notes['size']}."),
            _line("", "Networks halve images, so it is a power of two. Twice the"),
            _line("", "width makes every step four times as long"),
        ]
    if "channels" in entry:
        lines.append(_line(f"  channels: {entry.pop('channels')}", f"3: colour, 1: grey; {facts.notes['channels']}"))
    if "test_fraction" in entry:
        lines += [
            _line(
                f"  test_fraction: {entry.pop('test_fraction'):g}",
                f"{facts.num_test} images are never trained on. They give the bits/dim",
            ),
            _line("", "of unseen images, and the row `real` of the table"),
        ]
    lines += [f"  {key}: {_scalar(value)}" for key, value in entry.items()]
    if "size" in facts.notes:
        lines += [
            _line("  flip: false", "true: training mirrors half of the pictures, which helps if"),
            _line("", "there are few. Not for writing, or where left is not right"),
        ]
    return lines


def _models(sizes: Sizes) -> list[str]:
    improved = _line("  iddpm:", "Nichol and Dhariwal 2021, section 3")
    own = [*_network(sizes), _line("    timesteps: 1000", "the chain's length, in training"), *_training(sizes)]
    if sizes.rows.models == ("iddpm",):
        return ["models:", improved, *own, *_improved()]
    base = _line("    base: ddpm", "what is not given here is as above")
    return ["models:", _line("  ddpm:", "Ho et al. 2020"), *own, *_first(), improved, base, *_improved()]


def _network(sizes: Sizes) -> list[str]:
    multipliers = ", ".join(map(str, sizes.multipliers))
    return [
        _line("    network:", "the papers' U-Net, narrower"),
        _line(f"      channels: {sizes.channels}", "128 in the papers. Twice as many: four times the computing"),
        _line(f"      channel_multipliers: [{multipliers}]", f"one per resolution: {_resolutions(sizes)} pixels"),
        _line("      residual_blocks: 1", "2 or 3 in the papers"),
        _line(f"      attention_resolutions: [{sizes.attention}]", "attention where the feature maps are this wide"),
        _line("      head_channels: 16", "64 in Dhariwal and Nichol 2021"),
        _line("      norm_groups: 8", "must divide every number of channels"),
    ]


def _resolutions(sizes: Sizes) -> str:
    return ", ".join(str(sizes.side // 2**level) for level in range(len(sizes.multipliers)))


def _first() -> list[str]:
    return [
        _line("    schedule: linear", "section 4: beta from 1e-4 to 0.02"),
        _line("    variance: fixed_large", "section 3.2: beta_t"),
        _line("    objective: simple", "equation 14: L_simple"),
    ]


def _improved() -> list[str]:
    return [
        _line("    schedule: cosine", "section 3.2"),
        _line("    variance: learned_range", "section 3.1"),
        _line("    objective: hybrid", "section 3.1: L_simple + 0.001 L_vlb"),
    ]


def _training(sizes: Sizes) -> list[str]:
    steps = sizes.training_steps
    return [
        "    training:",
        _line(f"      steps: {steps}", "fills the stated time; the first key to raise for more"),
        _line(f"      batch_size: {BATCH}", "128 in the papers"),
        _line(
            f"      learning_rate: {_scalar(sizes.learning_rate)}",
            "the papers' 2e-4 is for 128 channels; narrow networks bear more",
        ),
        _line(f"      warmup_steps: {min(WARM_UP, steps // 10)}", "5000 in Ho et al."),
        _line("      annealing: linear", "the rate falls along a line to the share below, without"),
        _line("      final_learning_rate: 0.0", "which so short a training would end noisy"),
        _line("      ema_decay: 0.999", "0.9999 in the papers, for 100 times as many steps"),
    ]


def _samplers(sizes: Sizes, facts: Facts) -> list[str]:
    bounded = min(facts.num_test, sizes.num_images)
    return [
        "samplers:",
        _line("  ancestral: {}", "Ho et al. 2020, algorithm 2"),
        _line("  ddim: {eta: 0.0}", "Song et al. 2021: deterministic"),
        "",
        "sampling:",
        _line(f"  micro_batch: {min(50, sizes.num_images)}", "images that the network sees at once"),
        _line("  clip_x_0: true", "as in all published tables"),
        _line("  rounding: truncate", "as in the released code"),
        "",
        _line("bound:", "bits/dim, the variational bound"),
        _line("  timesteps: 40", "of 1000, one from each of 40 strata: unbiased, and 25 times"),
        _line("", "as fast as null, which takes all"),
        _line(f"  num_images: {bounded}", "of each split. A gap between unseen and training images"),
        _line("", "in the table says how much was learned by heart"),
    ]


def _scoring(scoring: Scoring) -> list[str]:
    return [
        *(f"# {line}" for line in textwrap.wrap(scoring.why, 110)),
        "# nearest_neighbour (in results/scores) is near 1 for new images, and 0 for copies of training images.",
        "extractors:",
        f"  features: {_flow(scoring.extractor)}",
        "",
        "protocols:",
        f"  scores: {_flow({**scoring.protocol, 'extractor': 'features'})}",
    ]


def _runs(sizes: Sizes) -> list[str]:
    run = {
        "models": list(sizes.rows.models),
        "samplers": ["ancestral", "ddim"],
        "steps": list(sizes.rows.steps),
        "num_images": sizes.num_images,
        "protocols": ["scores"],
    }
    return [
        "# A row of the table for each model, sampler and number of steps. A row has as many images as are held out",
        "# (at most 500): FID depends on their number, and the row `real` should be comparable.",
        "runs:",
        f"  - {_flow(run)}",
        "",
        "execution:",
        _line(f"  threads: {THREADS}", "of each job; the number is part of what makes a result"),
        _line("  checkpoint_every: 100", "training steps that a killed run can lose"),
    ]


def _line(text: str, comment: str) -> str:
    return f"{text:<{COLUMN}}# {comment}" if len(text) < COLUMN else f"{text}  # {comment}"


def _flow(entry: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in entry.items()) + "}"


def _scalar(value: Any) -> str:
    """Return a value as YAML. A text is in quotes unless every reader takes the plain word for a text."""
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, bool | None):
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:.1e}".replace("e-0", "e-") if 0 < value < 0.01 else f"{value:g}"
    text = str(value)
    plain = isinstance(value, int) or PLAIN.fullmatch(text) and text.lower() not in NOT_TEXTS
    return text if plain else json.dumps(text, ensure_ascii=False)
