"""Labels from the dataset.json that EDM's and StyleGAN's dataset_tool write beside pictures."""

import json
from collections.abc import Iterable

from diffbench.base.errors import UserError

LABELS = "dataset.json"
"""The file in which EDM's and StyleGAN's dataset_tool keep labels: {"labels": [["00000/img00000000.png", 6], ...]}."""


def labels_in(content: bytes, folder: str, where: str, pictures: Iterable[str]) -> dict[str, int] | None:
    """Return the labels that a dataset.json gives to pictures, empty if it says that they have none.

    folder: the folder of the file, "" or ending with "/"; the names in the file start there. where: the file's own
    name, for messages. None: the file is of another kind. Raises: UserError if a label is not a class number, or is of
    a picture that is not there.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON ({error}); make the data set again") from None
    if not isinstance(found, dict) or "labels" not in found:
        return None
    labels = {} if found["labels"] is None else _by_name(found["labels"], folder, where)
    absent = sorted(set(labels) - set(pictures))
    if absent:
        raise UserError(
            f"{where}: has a label for {absent[0]}, which is not there ({len(absent)} of {len(labels)} are not); "
            "copy the data set again"
        )
    return labels


def _by_name(rows: object, folder: str, where: str) -> dict[str, int]:
    labels: dict[str, int] = {}
    if not isinstance(rows, list):
        raise UserError(f"{where}: 'labels' is neither a list of [name, label] nor null; make the data set again")
    for row in rows:
        pair = row if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) else [row, None]
        name, label = pair
        if not isinstance(label, int) or isinstance(label, bool) or label < 0:
            raise UserError(f"{where}: {json.dumps(row)[:80]} is not [name, class number]; only those are read")
        full = folder + name.replace("\\", "/")
        if labels.setdefault(full, label) != label:
            raise UserError(f"{where}: two labels for {name}; make the data set again")
    return labels
