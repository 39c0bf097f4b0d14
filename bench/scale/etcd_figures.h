// What an etcd was asked, as etcd itself counts it: no client's opinion comes into it.
#pragma once

#include <cstdint>
#include <string>

namespace flotilla::bench {

struct EtcdFigures {
  uint64_t txns = 0;
  uint64_t puts = 0;
  uint64_t ranges = 0;
  uint64_t leases = 0;  // granted and revoked
  uint64_t keep_alives = 0;
  uint64_t watches = 0;   // begun
  uint64_t progress = 0;  // questions whether a watch that was silent still stands
  uint64_t others = 0;    // status, compaction
  uint64_t told = 0;      // messages from etcd on watches
  double cpu_seconds = 0;

  // All but keep-alives, which come with time and not with work.
  uint64_t requests() const { return txns + puts + ranges + leases + watches + progress + others; }
};

EtcdFigures operator-(const EtcdFigures& a, const EtcdFigures& b);

// Reads http://ADDRESS:PORT/metrics. Blocks. Throws std::runtime_error with a sentence.
EtcdFigures read_etcd_figures(const std::string& url);

}  // namespace flotilla::bench
