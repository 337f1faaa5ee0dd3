#!/usr/bin/env bash
# Writes the pinned requirements anew. They hold for every platform and Python 3.11 and up.
set -eu
cd "$(dirname "$0")/.."
export UV_CUSTOM_COMPILE_COMMAND=requirements/compile.sh
pin() { uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links "$@"; }
pin --extra all pyproject.toml -o requirements/run.txt
pin --extra all --group dev -c requirements/run.txt pyproject.toml -o requirements/dev.txt
pin --extra all --group dev --group bench -c requirements/dev.txt pyproject.toml -o requirements/bench.txt
# A new project begins with the same versions.
UV_CUSTOM_COMPILE_COMMAND='make lock' pin --no-annotate --extra sql --group project -c requirements/dev.txt pyproject.toml \
    -o src/levada/cli/_template/requirements.txt.tmpl
