#!/usr/bin/env bash
# Finds the blessed run of the base branch. What a pull request itself blessed is never used: a
# change could lower the bar that it is held to.
# In:  INPUT_BASELINE (auto, none or a path), INPUT_BASELINE_NAME, INPUT_SUITE, GITHUB_BASE_REF.
# Out: baseline=FOLDER in $GITHUB_OUTPUT; nothing where there is none.
set -euo pipefail

case "${INPUT_BASELINE:-auto}" in
  none) exit 0 ;;
  auto) ;;
  *)
    [ -f "$INPUT_BASELINE/run.json" ] || { echo "::error::there is no run in '$INPUT_BASELINE'"; exit 2; }
    echo "baseline=$INPUT_BASELINE" >>"$GITHUB_OUTPUT"
    exit 0
    ;;
esac

name=${INPUT_BASELINE_NAME:-$(basename "${INPUT_SUITE:-}")}
[ -n "$name" ] || exit 0
place="baselines/$name/run"

if [ -z "${GITHUB_BASE_REF:-}" ]; then
  # No pull request: the branch is its own base.
  if [ -f "$place/run.json" ]; then echo "baseline=$place" >>"$GITHUB_OUTPUT"; fi
  exit 0
fi

git fetch --quiet --depth=1 origin "$GITHUB_BASE_REF"
if ! git cat-file -e "FETCH_HEAD:./$place/run.json" 2>/dev/null; then
  echo "The base branch has no blessed run '$place': nothing to compare with."
  exit 0
fi
base=$(mktemp -d "${RUNNER_TEMP:-/tmp}/harness-base.XXXXXX")
git archive FETCH_HEAD "$place" | tar -x -C "$base"
echo "baseline=$base/$place" >>"$GITHUB_OUTPUT"
