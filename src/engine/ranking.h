// Ranking: the machines that a class of units may go to, in the order in which they are tried:
// those with the most of what the units prefer, then those with the fewest of their template where
// they spread, then the least loaded, then the lowest id. The first is found, and a machine whose
// load has changed put in its place, in the time that a walk down a tree takes.
//
// A ranking is brought up to date when it is used, from the log of machines that have changed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/model.h"

namespace flotilla::engine {

// The machines that are there, and which of them have changed lately.
struct Fleet {
  std::vector<Host*> hosts;  // by id; Host::rank is the place in it
  uint64_t epoch = 1;        // one more whenever `hosts`, metadata, cordons or capacities change

  void note(Host& host);
  // Of the log: where it begins and ends, and one entry.
  uint64_t log_begin() const { return first_; }
  uint64_t log_end() const { return first_ + log_.size(); }
  Host& at(uint64_t position) const { return *log_[position - first_]; }

 private:
  std::vector<Host*> log_;
  uint64_t first_ = 0;
};

// The smallest of an array of numbers that change.
class MinTree {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  void reset(size_t size);
  void fill(size_t index, uint32_t value) { nodes_[half_ + index] = value; }  // then build()
  void build();
  void set(size_t index, uint32_t value);
  uint32_t get(size_t index) const { return nodes_[half_ + index]; }
  uint32_t min() const { return nodes_[1]; }
  size_t first_min() const;  // Requires: min() != kNone.

 private:
  size_t half_ = 1;
  std::vector<uint32_t> nodes_;
};

class Ranking {
 public:
  explicit Ranking(const unit::FleetRequirements& wants);

  // Of units with Spread=: the values of its key, by number, on each machine (by rank), and how
  // many units of the template there are where it has that value (null: they are not counted).
  struct Crowd {
    const std::vector<uint32_t>* value_of = nullptr;
    const std::vector<uint32_t>* units = nullptr;
  };
  using Fits = std::function<bool(const Host&)>;
  // With kStrict only machines that fit are kept in the order: `fits` must depend on nothing but
  // the class and what the log tells of. Adds to `steps` how many machines did not fit.
  enum class Mode : uint8_t { kLoose, kStrict };
  Host* find(Fleet& fleet, const Crowd& crowd, const Fits& fits, Mode mode, uint64_t& steps);

 private:
  struct Bucket {
    uint32_t missed = 0;  // preferences
    uint32_t value = 0;   // of the metadata that units are spread over, by number
    std::vector<Host*> hosts;
    MinTree tree;
  };
  struct Place {
    uint32_t bucket = UINT32_MAX;
    uint32_t index = 0;
  };
  void update(Fleet& fleet, const Fits& fits, Mode mode);
  void rebuild(Fleet& fleet, const Fits& fits, Mode mode);
  void add_member(Host& host, uint32_t value);
  void fill_buckets(const Fits& fits, Mode mode);
  void refresh(const Host& host, const Fits& fits, Mode mode);
  uint32_t load_of(const Host& host, const Fits& fits, Mode mode) const;
  uint32_t count_missed(const Host& host) const;
  bool is_better(const Bucket& a, const Bucket& b) const;
  Bucket* best();

  const unit::FleetRequirements wants_;
  uint64_t epoch_ = 0;  // of the fleet; 0: never built
  uint64_t position_ = 0;
  std::vector<Bucket> buckets_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> numbers_;  // missed, value -> bucket
  // Of few machines no places are kept: all are looked at each time.
  bool is_small_ = false;
  std::vector<Place> places_;  // by rank
  Crowd crowd_;                // of the search that is under way
};

}  // namespace flotilla::engine
