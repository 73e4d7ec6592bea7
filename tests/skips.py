"""What tests say where a program that they need is not on this machine; the end of a run repeats it aloud."""

from __future__ import annotations

NO_CHROMIUM = "Chromium is not installed (apt-get install chromium-headless-shell): browser tests skipped"
NO_IMAGE = "NO IMAGE WAS BUILT AND RUN (apt-get install buildah debootstrap, as root)"
NO_MAKE = "THE MAKEFILE WAS NOT TESTED (apt-get install make)"
NO_NGINX = "NGINX DID NOT READ ITS CONFIGURATION (apt-get install nginx-light)"
NO_PROMTOOL = "PROMETHEUS DID NOT READ ITS RULES (apt-get install prometheus)"
NO_SYSTEMD = "SYSTEMD DID NOT READ ITS UNIT (systemd-analyze is not installed, or too old)"
NO_POSTGRESQL = "NOT TESTED ON POSTGRESQL: no server could be started"
NO_NETWORKS = "NOT TESTED IN SEPARATE NETWORKS: only root on Linux can make network namespaces"
NO_SMALL_DISK = "NOT FILLED: only root on Linux can mount a small file system"

ALOUD = (
    NO_CHROMIUM,
    NO_IMAGE,
    NO_MAKE,
    NO_NGINX,
    NO_PROMTOOL,
    NO_SYSTEMD,
    NO_POSTGRESQL,
    NO_NETWORKS,
    NO_SMALL_DISK,
)
