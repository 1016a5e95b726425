#!/usr/bin/env bash
echo "coverage through Bazel is not set up in this workspace" >&2
exit 1
