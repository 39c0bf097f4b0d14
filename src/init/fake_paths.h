// A PathWatcher for tests: the test says when something happened to a path.
#pragma once

#include <string_view>
#include <vector>

#include "init/path_watch.h"

namespace flotilla::init {

class FakePaths final : public PathWatcher {
 public:
  void touch(std::string_view path) {
    for (PathWatch* const watch : std::vector<PathWatch*>(watches)) {
      if (watch->path() == path) call(*watch);
    }
  }
  bool watches_for(std::string_view path) const {
    for (const PathWatch* const watch : watches) {
      if (watch->path() == path) return true;
    }
    return false;
  }

  std::vector<PathWatch*> watches;

 private:
  base::Status begin(PathWatch& watch) override {
    watches.push_back(&watch);
    return {};
  }
  void end(PathWatch& watch) noexcept override { std::erase(watches, &watch); }
};

}  // namespace flotilla::init
