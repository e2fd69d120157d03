#!/usr/bin/env bash
# The published Game of 24 table: all 100 test puzzles, budgets 10 and 100, from nothing.
# Usage: benchmarks/game24.sh [FOLDER]   (about 35 minutes on 2 CPU cores; continues when repeated)
# Writes benchmarks/results/game24.md; the runs, with every trajectory, stay in FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-runs/bench}
armap=${ARMAP:-.venv/bin/armap}
configs=configs/game24

"$armap" collect    -c $configs/collect.yaml    --out "$runs/collect"
"$armap" synthesize -c $configs/synthesize.yaml --out "$runs/synthesize" --set "trajectories=$runs/collect"
"$armap" train      -c $configs/train.yaml      --out "$runs/train" --set "preferences=$runs/synthesize"

plan() { # planner budget [settings...]
  local name=$1 budget=$2; shift 2
  "$armap" plan -c "$configs/$name.yaml" --out "$runs/$name-$budget" "$@"
}
reward=(--set "reward.path=$runs/train")
plan greedy 1
plan reflexion 10 --set planner.trials=10 "${reward[@]}"  # the paper: at most 10 trials everywhere
for n in 10 100; do
  plan sampling $n --set planner.n=$n
  plan best_of_n $n --set planner.n=$n --set "planner.candidates=$runs/sampling-$n" "${reward[@]}"
  plan mcts $n --set planner.trajectories=$n "${reward[@]}"
done

"$armap" report "$runs"/{train,greedy-1,sampling-10,best_of_n-10,reflexion-10,mcts-10} \
  "$runs"/{sampling-100,best_of_n-100,mcts-100} --out "$runs/report"
mkdir -p benchmarks/results
"${PYTHON:-.venv/bin/python}" benchmarks/table.py "$runs/report/summary.json" > benchmarks/results/game24.md
cat benchmarks/results/game24.md
