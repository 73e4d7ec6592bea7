# The service as an image: `docker build -t cds-service .`, or buildah, or podman. It runs with a read-only root as a user
# without rights; what it writes lies in /var/lib/cds-service and /tmp. docs/operate.md says how it is run.
#
# LOCK=requirements-demo.lock builds the demo, with a FHIR server of synthetic patients.

FROM debian:trixie-slim AS build
ARG LOCK=requirements.lock
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv
# Two environments, so that what builds the wheel does not end up in the image.
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/cds-service
WORKDIR /src
COPY requirements-build.lock ${LOCK} ./
# Every file is checked by its hash, and nothing is compiled. Behind a proxy that opens TLS, its certificate authority is
# passed as a secret: --secret id=ca,src=/path/ca.pem
RUN --mount=type=secret,id=ca,target=/run/ca.pem \
    if [ -s /run/ca.pem ]; then export PIP_CERT=/run/ca.pem; fi \
    && /build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements-build.lock \
    && /build/bin/pip --python /opt/cds-service/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
        --requirement "${LOCK}"
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY cds_service cds_service
COPY cards cards
COPY fixtures/scenarios fixtures/scenarios
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /build/bin/pip --python /opt/cds-service/bin/python install --no-cache-dir --no-deps --no-index /wheel/*.whl

FROM debian:trixie-slim
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && groupadd --system --gid 10001 cds-service \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/cds-service --shell /usr/sbin/nologin cds-service \
    && install --directory --owner cds-service --group cds-service --mode 0700 /var/lib/cds-service
COPY --from=build /opt/cds-service /opt/cds-service
ENV PATH=/opt/cds-service/bin:/usr/bin:/bin \
    CDS_DATA_FOLDER=/var/lib/cds-service \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /var/lib/cds-service
VOLUME /var/lib/cds-service
EXPOSE 8000
# Docker's own; Kubernetes has probes of its own (deploy/kubernetes).
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["cds-service"]
# Beyond loopback it starts only with trusted clients in the settings, or with --insecure.
CMD ["serve", "--host", "0.0.0.0", "--workers", "2"]
