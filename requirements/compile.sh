#!/usr/bin/env bash
# Writes the pinned requirements anew. They hold for every platform and Python 3.11 and up.
set -eu
cd "$(dirname "$0")/.."
pin() { uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command requirements/compile.sh "$@"; }
pin --extra all pyproject.toml -o requirements/run.txt
pin --extra all --group dev -c requirements/run.txt pyproject.toml -o requirements/dev.txt
pin --extra all --group dev --group bench -c requirements/dev.txt pyproject.toml -o requirements/bench.txt
