#!/usr/bin/env bash
# Measures the suite, or takes the stored run, and writes the report.
# In:  INPUT_SUITE or INPUT_RUN, INPUT_ARGS, INPUT_RULES. Out: run=FOLDER in $GITHUB_OUTPUT.
set -euo pipefail

rules=()
[ -z "${INPUT_RULES:-}" ] || rules=(--rules "$INPUT_RULES")

if [ -n "${INPUT_RUN:-}" ]; then
  echo "run=$INPUT_RUN" >>"$GITHUB_OUTPUT"
  harness report "$INPUT_RUN" "${rules[@]}"
  exit 0
fi
[ -n "${INPUT_SUITE:-}" ] || { echo "::error::give 'suite' (to run it) or 'run' (to gate a stored one)"; exit 2; }

run="runs/ci/${GITHUB_RUN_ID:-local}-${GITHUB_RUN_ATTEMPT:-1}"
read -r -a args <<<"${INPUT_ARGS:-}"
code=0
harness run "$INPUT_SUITE" --out "$run" --report-only "${args[@]}" || code=$?
# 4 is a verdict (INVALID), which the next step tells; anything else is a failure of this one.
[ "$code" = 0 ] || [ "$code" = 4 ] || exit "$code"
echo "run=$run" >>"$GITHUB_OUTPUT"
# The run's own report is by the suite's rules.
[ "${#rules[@]}" = 0 ] || harness report "$run" "${rules[@]}"
