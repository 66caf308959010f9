"""Settings of the documentation's site, which is built with `uv run sphinx-build -W --keep-going -b html docs site`.

The site needs no network, neither to be built nor to be read, and has no date in it.
"""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "diffbench"
author = "the authors of diffbench"
version = release = metadata.version("diffbench")
html_show_copyright = False
html_last_updated_fmt = None

extensions = ["myst_parser", "sphinx.ext.autodoc", "diffbench_docs"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 88
default_role = "code"
smartquotes = False
nitpicky = True
# Types of other libraries, whose documentation would have to be downloaded, and internal ones that signatures name.
nitpick_ignore_regex = [
    ("py:class", r"(?!diffbench\.).*"),
    ("py:class", r"diffbench\.(api\.recorded|base\.(plugins|sheets)|benchmark|commands|jobs|training)\..*"),
    ("py:class", r".*\.(NoisedBatch|Parameterization|Pictures|UnetOutput)"),
]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4


html_theme = "pydata_sphinx_theme"
html_title = f"diffbench {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
# The pages at the top have no pages beside them.
html_sidebars = {"index": [], "tutorial": []}
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["sphinx-version"],
    "footer_end": [],
    "back_to_top_button": True,
}
