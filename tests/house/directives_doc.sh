#!/bin/sh
# usage: directives_doc.sh PROGRAM SOURCE_DIR: fails if docs/directives.md is not what PROGRAM writes.
if ! "$1" | diff -u "$2/docs/directives.md" - >&2; then
  echo "docs/directives.md is not current: $1 > docs/directives.md" >&2
  exit 1
fi
