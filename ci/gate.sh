#!/usr/bin/env bash
# Gates the run and tells the verdict; its exit code is the verdict's.
# In: RUN_FOLDER, BASELINE, INPUT_SUITE, INPUT_RULES, INPUT_MAX_DROP, INPUT_COMMENT, INPUT_REPORT_ONLY.
set -euo pipefail

args=(--junit reports/harness.xml)
[ -z "${INPUT_RULES:-}" ] || args+=(--rules "$INPUT_RULES")
if [ -n "${BASELINE:-}" ]; then
  args+=(--baseline "$BASELINE")
  [ -z "${INPUT_MAX_DROP:-}" ] || args+=(--max-drop "$INPUT_MAX_DROP")
elif [ -n "${INPUT_MAX_DROP:-}" ]; then
  # Unknown never passes: without a baseline nothing shows that the candidate did not drop.
  echo "::error::max-drop is set, and there is no baseline to hold the candidate against"
  exit 2
fi
[ -z "${INPUT_SUITE:-}" ] || args+=(--suite-file "$INPUT_SUITE/suite.py")
[ "${INPUT_COMMENT:-true}" = true ] || args+=(--no-comment)
[ "${INPUT_REPORT_ONLY:-false}" != true ] || args+=(--report-only)
if [ -n "${GITHUB_SERVER_URL:-}" ] && [ -n "${GITHUB_RUN_ID:-}" ]; then
  args+=(--link "report and run=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID#artifacts")
fi
exec harness ci "$RUN_FOLDER" "${args[@]}"
