// FleetctlTest: runs fleetctl's words over a fake cluster and keeps what it printed.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <climits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/fake_fleet_api.h"
#include "fctl/run.h"

namespace flotilla::fctl {

inline constexpr const char* kHello = "[Service]\nExecStart=/bin/hello\n";

class FleetctlTest : public testing::Test {
 protected:
  int run_words(const std::vector<std::string>& words) {
    output = FakeOutput();
    output.terminal = output.screen = is_terminal;
    return run(
        words,
        {output, pacer,
         [this](const std::string& name) -> std::optional<std::string> {
           const auto found = variables.find(name);
           if (found == variables.end()) return std::nullopt;
           return found->second;
         },
         [this](const std::string& path) -> base::Result<std::string> {
           if (path.size() > NAME_MAX) {
             return base::system_error(ENAMETOOLONG, "open {}", path);
           }
           const auto found = files.find(path);
           if (found == files.end()) return base::not_found("open {}: no such file", path);
           return found->second;
         },
         [this](const std::vector<client::Endpoint>& endpoints,
                const Trace& trace) -> base::Result<std::shared_ptr<client::FleetApi>> {
           endpoints_used = endpoints;
           if (trace) trace("HTTP");
           // The test keeps the fake.
           return std::shared_ptr<client::FleetApi>(std::shared_ptr<void>(), &api);
         },
         [this](const std::vector<std::string>& command) {
           executed.push_back(command);
           return exit_status;
         },
         [this](const std::string& path) {
           folders.push_back(path);
           return base::Status();
         },
         [this](const std::vector<client::Endpoint>& endpoints) {
           probed = endpoints;
           return etcd_answers;
         },
         [this](const EtcdAddress& address) -> base::Result<std::shared_ptr<client::FleetApi>> {
           etcd_used = address;
           return std::shared_ptr<client::FleetApi>(std::shared_ptr<void>(), &api);
         },
         [this](const std::string& path) -> base::Result<std::string> {
           const auto found = files.find(path);
           if (found == files.end()) return base::not_found("open {}: no such file", path);
           return found->second;
         },
         [this](const std::string& path, const std::string& text) {
           files[path] = text;
           return base::Status();
         }});
  }
  void add_unit(const std::string& name, const std::string& text, const std::string& state) {
    client::Unit unit{name, state, state, state == "inactive" ? "" : api.machine_list[0].id,
                      *unit::parse_fleet_file(text)};
    api.unit_map[name] = unit;
    if (state == "launched") {
      api.state_map[name] = {
          name, unit.machine_id, unit::hash_hex(unit.options), "loaded", "active", "running", 0};
    }
  }

  client::FakeFleetApi api;
  FakePacer pacer;
  FakeOutput output;
  std::map<std::string, std::string> files;
  bool is_terminal = false;
  std::map<std::string, std::string> variables;
  std::vector<client::Endpoint> endpoints_used;
  std::vector<std::vector<std::string>> executed;
  base::Result<int> exit_status = 0;
  std::vector<std::string> folders;
  bool etcd_answers = false;
  std::vector<client::Endpoint> probed;
  std::optional<EtcdAddress> etcd_used;
};

}  // namespace flotilla::fctl
