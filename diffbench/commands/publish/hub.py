"""The upload of a published folder to the Hugging Face Hub."""

from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.commands.publish.cards import require_hub

REPO_TYPES = ("model", "dataset")


def require_target(name: str, repo_type: str) -> None:
    """Raise UserError if an upload cannot begin: a wrong kind or name of repository, or no token."""
    hub = require_hub()
    if repo_type not in REPO_TYPES:
        raise UserError(f"--repo-type: no type '{repo_type}'; {nearest(repo_type, REPO_TYPES)}")
    try:
        from huggingface_hub.utils import validate_repo_id

        validate_repo_id(name)
    except ValueError as error:
        raise UserError(
            f"hub:{name}: is no name of a repository ({_first_line(error)}); write hub:OWNER/NAME"
        ) from None
    if hub.get_token() is None:
        raise UserError(f"hub:{name}: no token of the Hugging Face Hub is here; `hf auth login`, or set HF_TOKEN")


def upload(folder: Path, name: str, *, repo_type: str, private: bool, api: Any = None) -> str:
    """Return the address of the repository after uploading a folder to it.

    A repository that holds other files already is left alone. Raises: UserError in one line for whatever fails.
    """
    try:
        api = api or require_hub().HfApi()
        url = api.create_repo(name, repo_type=repo_type, private=private, exist_ok=True)
        ours = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        others = sorted(set(api.list_repo_files(name, repo_type=repo_type)) - ours - {".gitattributes"})
        if others:
            raise UserError(f"hub:{name}: holds other files, such as {others[0]}; name a new repository")
        api.upload_folder(
            repo_id=name, folder_path=folder, repo_type=repo_type, commit_message="Add results of diffbench"
        )
    except UserError:
        raise
    except Exception as error:  # of the network, the token or the Hub, by several libraries
        raise UserError(
            f"hub:{name}: cannot be uploaded ({type(error).__name__}: {_first_line(error)}); "
            "the same command with --to FOLDER needs no network"
        ) from None
    return str(url)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no message")
