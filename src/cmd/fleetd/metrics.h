// What fleetd tells of itself in Prometheus' text format: fleet's names, with its double counting
// mended, and ours.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "api/server.h"
#include "engine/engine_manager.h"
#include "store/metered_store.h"

namespace flotilla::fleetd {

struct Figures {
  engine::EngineCounters engine;
  bool is_leader = false;
  store::StoreFigures store;
  // Of the whole cluster; known only while this machine has the view of it.
  struct OfCluster {
    size_t units = 0;
    size_t states = 0;
    size_t machines = 0;
  };
  std::optional<OfCluster> cluster;
  size_t differences = 0;  // of this machine, from what is scheduled
  size_t problems = 0;     // of them, those that fail
  size_t connections = 0;
  api::Answers answers;
};

std::string metrics_text(const Figures& figures);

}  // namespace flotilla::fleetd
