# The image of the action: git, this program and its analyzers; no compiler and no installer.
# Any Debian with Python 3.11 or later and venv will do as BASE. `.github/release/check.py` refuses to
# release it until the line below names a digest (`…@sha256:…`).
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/run.txt requirements/
COPY pyproject.toml README.md LICENSE ./
COPY prompts prompts
COPY reviewbot reviewbot
# Wheels with known hashes only: nothing of anybody's is compiled or run to install it.
RUN python3 -m venv /opt/installer \
 && python3 -m venv --without-pip /opt/reviewbot \
 && install() { /opt/installer/bin/python -m pip --python /opt/reviewbot/bin/python --no-cache-dir "$@"; } \
 && install install --require-hashes --only-binary :all: -r requirements/run.txt \
 && install install --no-deps --no-build-isolation . \
 && install uninstall --yes hatchling editables pluggy trove-classifiers

FROM ${BASE}
# hadolint ignore=DL3008
RUN git --version \
 || { apt-get update \
 && apt-get install --yes --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/*; }
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip
COPY --from=build /opt/reviewbot /opt/reviewbot
# A runner starts a container action as root; the program becomes the workspace's owner before it reads
# the change. -I keeps the workspace and the environment out of what Python imports.
ENTRYPOINT ["/opt/reviewbot/bin/python", "-I", "-m", "reviewbot", "action"]
