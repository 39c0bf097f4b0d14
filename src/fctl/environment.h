// The world as fleetctl sees it: what a process has only once is passed in, so that tests can
// give their own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/endpoint.h"
#include "client/fleet_api.h"
#include "fctl/output.h"
#include "fctl/pacer.h"

namespace flotilla::fctl {

struct Environment {
  Output& output;
  Pacer& pacer;
  std::function<std::optional<std::string>(const std::string& name)> variable;
  // The text of a local file; kNotFound if there is none.
  std::function<base::Result<std::string>(const std::string& path)> read_file;
  // The client of one or more endpoints; errors are shown behind "Unable to initialize client: ".
  std::function<base::Result<std::shared_ptr<client::FleetApi>>(
      const std::vector<client::Endpoint>& endpoints)>
      connect;
  // Runs a program with our standard input and output to its end. Returns its exit status, 128 and
  // the signal's number if one ended it; fails if it cannot be started.
  std::function<base::Result<int>(const std::vector<std::string>& words)> execute;
  // Makes a folder and those above it, as far as they are missing.
  std::function<base::Status(const std::string& path)> make_folder;
};

}  // namespace flotilla::fctl
