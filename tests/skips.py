"""What tests say where a program that they need is not on this machine; the end of a run repeats it aloud."""

from __future__ import annotations

NO_CHROMIUM = "Chromium is not installed (apt-get install chromium-headless-shell): browser tests skipped"
NO_IMAGE = "NO IMAGE WAS BUILT AND RUN (apt-get install buildah debootstrap, as root)"
NO_POSTGRESQL = "NOT TESTED ON POSTGRESQL: no server could be started"
NO_NETWORKS = "NOT TESTED IN SEPARATE NETWORKS: only root on Linux can make network namespaces"
