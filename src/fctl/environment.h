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

// Called with what is sent and answered, where --debug is given; else null.
using Trace = std::function<void(const std::string& text)>;

// An etcd that has the registry, as flags name it.
struct EtcdAddress {
  std::string servers;  // URLs with commas between
  std::string key_prefix;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::string username;
  std::string password;
  double request_timeout = 0;  // seconds
  Trace trace{};
};

struct Environment {
  Output& output;
  Pacer& pacer;
  std::function<std::optional<std::string>(const std::string& name)> variable;
  // The text of a local file; kNotFound if there is none.
  std::function<base::Result<std::string>(const std::string& path)> read_file;
  // The client of one or more endpoints; errors are shown behind "Unable to initialize client: ".
  std::function<base::Result<std::shared_ptr<client::FleetApi>>(
      const std::vector<client::Endpoint>& endpoints, const Trace& trace)>
      connect;
  // Runs a program with our standard input and output to its end. Returns its exit status, 128 and
  // the signal's number if one ended it; fails if it cannot be started.
  std::function<base::Result<int>(const std::vector<std::string>& words)> execute;
  // Makes a folder and those above it, as far as they are missing.
  std::function<base::Status(const std::string& path)> make_folder;
  // Whether etcd itself answers at these endpoints.
  std::function<bool(const std::vector<client::Endpoint>& endpoints)> is_etcd = {};
  // The client that works on the registry itself.
  std::function<base::Result<std::shared_ptr<client::FleetApi>>(const EtcdAddress& address)>
      connect_etcd = {};
  // A document of any size that fits into memory; "-" is standard input.
  std::function<base::Result<std::string>(const std::string& path)> read_document = {};
  // Replaces the file whole, readable by its owner alone.
  std::function<base::Status(const std::string& path, const std::string& text)> write_document = {};
};

}  // namespace flotilla::fctl
