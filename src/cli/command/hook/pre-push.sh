#!/bin/sh
# Made by `podline hook install`, and removed by `podline hook uninstall`.
# Runs the pipeline of what is pushed. To push without it: git push --no-verify

refs=$(cat)
before="$(dirname "$0")/pre-push.before-podline"
if [ -x "$before" ]; then
  printf '%s\n' "$refs" | "$before" "$@" || exit
fi
podline=$(command -v podline || echo @PODLINE@)
if [ ! -x "$podline" ]; then
  echo "podline is not on the PATH: nothing was run before this push" >&2
  exit 0
fi
[ -z "$refs" ] || printf '%s\n' "$refs" | "$podline" hook run "$@"
