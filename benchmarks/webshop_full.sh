#!/usr/bin/env bash
# WebShop at full size: a made-up catalogue of 1,180,000 products in the official format,
# its first load (which builds the index) and a later one. Prints the figures.
# Usage: benchmarks/webshop_full.sh [FOLDER]
#   FOLDER    for the catalogue and its index, 8 GB (default /tmp/armap-webshop-full); repeated,
#             the catalogue is kept and the index is built anew
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-/tmp/armap-webshop-full}
python=${PYTHON:-.venv/bin/python}
if [ ! -f "$folder/items_human_ins.json" ]; then
  "$python" benchmarks/webshop_catalogue.py "$folder"
fi
rm -rf "$folder/.armap"
"$python" benchmarks/webshop_full.py "$folder"
"$python" benchmarks/webshop_full.py "$folder"
