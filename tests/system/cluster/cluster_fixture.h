// ClusterTest: one cluster for all tests of the program; one that a test has left in doubt is made
// anew.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "harness/system_test.h"

namespace flotilla::system_test {

class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FLOTILLA_NEEDS_ROOT();
    if (access("/usr/bin/etcd", X_OK) != 0) GTEST_SKIP() << "etcd is not installed";
    const Outcome made = run_command({"unshare", "--net", "--mount", "--pid", "--fork", "ip",
                                      "link", "add", "switch", "type", "bridge"});
    if (made.exit_code != 0) GTEST_SKIP() << "no namespaces or bridges here: " << made.err;
    if (!shared_) shared_ = std::make_unique<Cluster>(ttl());
    for (const auto& host : cluster().hosts()) host->forget_starts();
    ASSERT_TRUE(cluster().wait_until_whole()) << cluster().logs();
  }
  void TearDown() override {
    if (!shared_) return;
    for (const auto& host : cluster().hosts()) EXPECT_EQ(host->complaints(), "");
    if (HasFailure()) {
      std::fputs(cluster().logs().c_str(), stderr);
      return shared_.reset();
    }
    EXPECT_TRUE(wait_until([&] {
      for (const std::string& name : units_) cluster().fleetctl({"destroy", name + ".service"});
      return std::all_of(units_.begin(), units_.end(),
                         [&](const std::string& name) { return cluster().where(name).empty(); });
    }));
    if (HasFailure()) shared_.reset();
  }
  static void TearDownTestSuite() { shared_.reset(); }

  // Of the machines' leases; one for all tests of a suite.
  virtual std::chrono::seconds ttl() const { return kTtl; }
  static Cluster& cluster() { return *shared_; }
  static Host& host(size_t i) { return cluster().host(i); }

  // Units of one test's own; they run until they are stopped.
  void start(const std::string& name, const std::string& fleet = {}) {
    units_.push_back(name);
    ASSERT_TRUE(cluster().start_unit(name, fleet)) << cluster().logs();
  }
  static std::vector<size_t> where(const std::string& name) { return cluster().where(name); }
  // Runs on one machine, and on which; kHosts: on none, or on two, in the time given.
  static size_t place_of(const std::string& name) {
    wait_until([&] {
      const std::vector<size_t> found = where(name);
      return found.size() == 1 && host(found.front()).starts(name) != 0;
    });
    const std::vector<size_t> found = where(name);
    return found.size() == 1 ? found.front() : Cluster::kHosts;
  }
  static std::vector<size_t> starts(const std::vector<std::string>& names) {
    std::vector<size_t> counts;
    for (const std::string& name : names) counts.push_back(cluster().starts(name));
    return counts;
  }
  // A process is seen a moment before it has written down its start.
  static bool wait_for_starts(const std::vector<std::string>& names,
                              const std::vector<size_t>& wanted) {
    return wait_until([&] { return starts(names) == wanted; });
  }
  // Waits for the fact; meanwhile no two machines may run the unit.
  static bool wait_with_one(const std::string& unit, const std::function<bool()>& fact,
                            std::chrono::seconds limit = kPatience) {
    bool was_alone = true;
    const bool holds = wait_until(
        [&] {
          was_alone = was_alone && where(unit).size() <= 1;
          return fact();
        },
        limit);
    EXPECT_TRUE(was_alone) << unit << " ran on two machines\n" << cluster().logs();
    return holds;
  }
  // Something can still be started.
  void expect_work_goes_on(const std::string& name) {
    start(name);
    EXPECT_NE(place_of(name), Cluster::kHosts) << cluster().logs();
  }

 private:
  static inline std::unique_ptr<Cluster> shared_;
  std::vector<std::string> units_;
};

}  // namespace flotilla::system_test
