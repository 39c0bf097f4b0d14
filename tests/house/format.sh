#!/bin/sh
# Fails on a C++ file that clang-format would write otherwise.   usage: format.sh SOURCE_DIR
set -eu
cd "${1:?usage: format.sh SOURCE_DIR}"
find src tests bench -name '*.h' -o -name '*.cc' | xargs -r clang-format --dry-run --Werror
