# shellcheck shell=bash disable=SC2034
# What the scripts of this folder share. Source it; it changes to the top of the checkout.
#
# BYTETORRENT_BAZEL replaces the word `bazel`, for instance BYTETORRENT_BAZEL='bazel --output_base=/elsewhere'.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# Bazel and its disk cache live under HOME; some continuous-integration hosts set none.
export HOME="${HOME:-${TMPDIR:-/tmp}/bytetorrent-home-$(id -u)}"
mkdir -p "$HOME"
read -r -a bazel <<<"${BYTETORRENT_BAZEL:-bazel}"

# run_bazel_tests FLAG-OR-TARGET...: runs the tests and sets tests_passed, tests_failed and Bazel's own bazel_status. A test that could not be
# built counts as failed, and so does a run in which Bazel failed before it knew its tests.
run_bazel_tests() {
  local events counts
  bazel_status=0
  events=$(mktemp "${TMPDIR:-/tmp}/bytetorrent-events.XXXXXX")
  # Only what tests need: a library built for its own sake is compiled a second time, for a shared object nobody uses.
  "${bazel[@]}" test --keep_going --build_tests_only --build_event_json_file="$events" "$@" || bazel_status=$?
  counts=$(python3 -B tools/count_tests.py "$events" "$bazel_status") || counts="0 1"
  rm -f "$events"
  read -r tests_passed tests_failed <<<"$counts"
}

# Every program that is for any compiler, also such as no test runs.
build_every_binary() {
  local programs
  mapfile -t programs < <("${bazel[@]}" query 'kind(cc_binary, //...) except attr(tags, manual, //...)' 2>/dev/null)
  "${bazel[@]}" build --keep_going "${programs[@]}"
}

# The folder of the release binaries, after building the given targets.
build_binaries() {
  "${bazel[@]}" build "$@" >&2 || {
    echo "The build failed; the compiler's words are above." >&2
    return 1
  }
  "${bazel[@]}" info bazel-bin 2>/dev/null
}
