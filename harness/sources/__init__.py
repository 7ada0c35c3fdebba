"""Where text and weights come from: local paths, the Hugging Face hub, packages on an index."""

from harness.sources.fetching import fetch, fetched
from harness.sources.folders import Progress, cache_dir
from harness.sources.models import model_folder, weights_sha256
from harness.sources.reference import Reference, parse

__all__ = [
    "Progress",
    "Reference",
    "cache_dir",
    "fetch",
    "fetched",
    "model_folder",
    "parse",
    "weights_sha256",
]
