#!/bin/sh
# Fails on an #include against the arrows of docs/architecture.md: a folder of src/ may include itself and
# the folders listed behind it here, nothing else of src/; and on streams in the service manager.   usage: arrows.sh SOURCE_DIR
set -eu
cd "${1:?usage: arrows.sh SOURCE_DIR}/src"
exec awk '
BEGIN {
  law["base"]     = ""
  law["unit"]     = "base"
  law["sandbox"]  = "base unit"
  law["logs"]     = "base"
  law["bus"]      = "base unit"
  law["init"]     = "base unit sandbox logs bus"
  law["ctl"]      = "base unit logs bus"
  # The fence: nothing above includes anything below.
  law["tls"]      = "base"
  law["store"]    = "base"
  law["registry"] = "base store unit"
  law["overlord"] = "base"
  law["engine"]   = "base unit store registry overlord"
  law["agent"]    = "base unit logs bus store registry overlord"
  law["api"]      = "base unit store registry overlord tls"
  law["client"]   = "base unit tls"
  law["fctl"]     = "base unit client tls"
  law["direct"]   = "base unit store registry overlord engine api client"
  law["zinit"]    = "base bus"
  split("base unit sandbox logs bus init", folders, " ")
  for (i in folders) is_manager[folders[i]] = 1
  bad = 0
  command = "find . -name \"*.h\" -o -name \"*.cc\" | sort"
  while ((command | getline file) > 0) {
    sub(/^\.\//, "", file)
    split(file, part, "/")
    from = part[1]
    if (from == "cmd") continue   # programs put the parts together
    if (!(from in law)) { print "src/" file ": the folder is not in the table of arrows.sh"; bad = 1; continue }
    number = 0
    while ((getline line < file) > 0) {
      number++
      if (is_manager[from] && line ~ /^[ \t]*#[ \t]*include[ \t]*<(fstream|iomanip|iostream|locale|regex|sstream)>/ &&
          file !~ /_test\.cc$|scratch_log\.h$/) {
        print "src/" file ":" number ": streams bring the locales into the service manager, a fifth of its program"
        bad = 1
      }
      if (line !~ /^[ \t]*#[ \t]*include[ \t]*"/) continue
      split(line, quoted, "\"")
      to = quoted[2]
      if (to !~ /\//) { print "src/" file ":" number ": include \"" to "\" by its path from src/"; bad = 1; continue }
      sub(/\/.*/, "", to)
      if (to == from || index(" " law[from] " ", " " to " ")) continue
      print "src/" file ":" number ": " from "/ may not include " to "/ (allowed: " law[from] ")"
      bad = 1
    }
    close(file)
  }
  exit bad
}'
