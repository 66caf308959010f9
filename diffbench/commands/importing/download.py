"""A download that writes the whole file or nothing."""

import urllib.request
from http.client import HTTPException
from pathlib import Path

from tqdm import tqdm

from diffbench.base.errors import UserError
from diffbench.base.writing import replacing

BLOCK = 2**20
TIMEOUT_SECONDS = 30


def download(url: str, path: Path, *, otherwise: str) -> None:
    """Write the file at a URL to `path`. otherwise: the command for a file that was fetched in another way.

    Raises: UserError if it cannot be reached or ends too early; then nothing is written.
    """
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, replacing(path) as temporary:
            total = int(response.headers.get("Content-Length") or 0)
            with (
                open(temporary, "wb") as file,
                tqdm(total=total or None, unit="B", unit_scale=True, desc=path.name, disable=None) as bar,
            ):
                while block := response.read(BLOCK):
                    file.write(block)
                    bar.update(len(block))
                if total and file.tell() != total:
                    raise UserError(f"{url}: ended after {file.tell()} of {total} bytes; the same command tries again")
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"{url}: cannot be downloaded ({reason}); fetch it where there is network access, then {otherwise}"
        ) from None
