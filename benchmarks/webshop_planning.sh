#!/usr/bin/env bash
# WebShop from nothing: collect, synthesize, train, plan; the same reward model on official data.
# Usage: benchmarks/webshop_planning.sh [FOLDER [OFFICIAL]]
#   FOLDER    where the runs stay (default runs/bench/webshop); repeated, it continues
#   OFFICIAL  folder of WebShop's official 1,000 products (default $WEBSHOP_DATA); without, that
#             part is left out
# Writes benchmarks/results/webshop_planning.md. Six minutes on 2 CPU cores to themselves (25 on busy ones), no GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-runs/bench/webshop}
official=${2:-${WEBSHOP_DATA:-}}
armap=${ARMAP:-.venv/bin/armap}
configs=configs/webshop
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}   # so small a model gains nothing from a second core

"$armap" collect    -c $configs/collect.yaml    --out "$runs/collect"
"$armap" synthesize -c $configs/synthesize.yaml --out "$runs/synthesize" --set "trajectories=$runs/collect"
"$armap" train      -c $configs/train.yaml      --out "$runs/train" --set "preferences=$runs/synthesize"

reward=(--set "reward.path=$runs/train")
"$armap" plan -c $configs/greedy.yaml --out "$runs/greedy"
sampled() { # name [settings...]: ten samples of each task, then the best of them by the reward model
  local name=$1; shift
  "$armap" plan -c $configs/sampling.yaml --out "$runs/sampling$name" "$@"
  "$armap" plan -c $configs/plan.yaml --out "$runs/best_of_n$name" "${reward[@]}" \
    --set "planner.candidates=$runs/sampling$name" "$@"
}
sampled ""
sampled -dev --set tasks.split=dev   # what the price's weight is chosen on
"$armap" plan -c $configs/reflexion.yaml --out "$runs/reflexion" "${reward[@]}"
"$armap" plan -c $configs/mcts.yaml --out "$runs/mcts" "${reward[@]}"
if [[ -n $official ]]; then
  sampled -official --set "env.data=$official" --set env.goals=synthetic
fi
mkdir -p benchmarks/results
"${PYTHON:-.venv/bin/python}" benchmarks/webshop_planning.py "$runs" > "$runs/table.md"
cp "$runs/table.md" benchmarks/results/webshop_planning.md
cat benchmarks/results/webshop_planning.md
