"""YAML as benchmarks are written in it: no key twice."""

from pathlib import Path
from typing import Any

import yaml

from diffbench.base.errors import UserError


class _UniqueKeys(yaml.SafeLoader):
    """YAML that refuses a key written twice, of which PyYAML would silently keep the last."""


def _unique_mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, (str, int, float)):
            raise UserError(f"line {key_node.start_mark.line + 1}: a key must be a name")
        if key in seen:
            raise UserError(f"line {key_node.start_mark.line + 1}: key '{key}' is written twice")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_yaml(path: Path | str) -> Any:
    """Return what a YAML file holds. Raises: UserError where it is not there, or not YAML without repeated keys."""
    try:
        return yaml.load(Path(path).read_text(), Loader=_UniqueKeys)  # noqa: S506  (a SafeLoader)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not YAML: it is not text in UTF-8") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
