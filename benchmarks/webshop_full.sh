#!/bin/sh
# WebShop at full size: a made-up catalogue of 1,180,000 products in the official format,
# its first load (which builds the index) and a later one.
#
#     benchmarks/webshop_full.sh [FOLDER]      needs 8 GB of disk
set -e
folder=${1:-/tmp/armap-webshop-full}
python=${PYTHON:-python}
here=$(dirname "$0")
if [ ! -f "$folder/items_human_ins.json" ]; then
    "$python" "$here/webshop_catalogue.py" "$folder"
fi
rm -rf "$folder/.armap"
"$python" "$here/webshop_full.py" "$folder"
"$python" "$here/webshop_full.py" "$folder"
