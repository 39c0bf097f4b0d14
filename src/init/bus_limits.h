// The resource limits in the order of systemd, for the tables that have a row or two for each.
#pragma once

#include <sys/resource.h>

// ROW(name, resource) for each.
#define FLOTILLA_EACH_LIMIT(ROW)                                                      \
  ROW("CPU", RLIMIT_CPU), ROW("FSIZE", RLIMIT_FSIZE), ROW("DATA", RLIMIT_DATA),       \
      ROW("STACK", RLIMIT_STACK), ROW("CORE", RLIMIT_CORE), ROW("RSS", RLIMIT_RSS),   \
      ROW("NOFILE", RLIMIT_NOFILE), ROW("AS", RLIMIT_AS), ROW("NPROC", RLIMIT_NPROC), \
      ROW("MEMLOCK", RLIMIT_MEMLOCK), ROW("LOCKS", RLIMIT_LOCKS),                     \
      ROW("SIGPENDING", RLIMIT_SIGPENDING), ROW("MSGQUEUE", RLIMIT_MSGQUEUE),         \
      ROW("NICE", RLIMIT_NICE), ROW("RTPRIO", RLIMIT_RTPRIO), ROW("RTTIME", RLIMIT_RTTIME)
