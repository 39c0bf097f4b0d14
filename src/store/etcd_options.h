// How to reach an etcd cluster: its endpoints, how to prove who one is, how long to wait.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace flotilla::store {

// As the configuration has them; empty: none.
struct EtcdSettings {
  std::string ca_file{};    // empty: the system's authorities
  std::string cert_file{};  // both or neither
  std::string key_file{};
  std::string username{};
  std::string password{};
  base::Micros request_timeout{0};  // 0: as EtcdOptions has it
};

struct EtcdEndpoint {
  std::string url{};     // as messages name it
  std::string target{};  // "HOST:PORT" or "unix:PATH"
  bool is_tls = false;

  friend bool operator==(const EtcdEndpoint&, const EtcdEndpoint&) = default;
};

struct EtcdOptions {
  std::vector<EtcdEndpoint> endpoints{};
  std::string ca_pem{};
  std::string cert_pem{};
  std::string key_pem{};
  std::string username{};
  std::string password{};
  // Of one call, from when it is first sent, and of one that waits for an endpoint to be found.
  base::Micros request_timeout = std::chrono::seconds(5);
  // A broken watch that cannot be resumed for so long is lost.
  base::Micros watch_patience = std::chrono::seconds(5);
  // A watch that was silent for so long asks whether it still stands.
  base::Micros watch_silence = std::chrono::minutes(1);
};

// "URL,URL…": http://HOST:PORT, https://HOST:PORT, unix://PATH or HOST:PORT; without a port etcd's
// 2379. Blanks, quotes and brackets around the list and its items are passed over, as fleet's
// etcd_servers has them. kInvalid, with the item, for anything else.
base::Result<std::vector<EtcdEndpoint>> parse_etcd_endpoints(std::string_view text);

// Reads the files. Blocks. kInvalid for a combination that makes no sense, or why a file cannot be
// read.
base::Result<EtcdOptions> make_etcd_options(std::string_view endpoints,
                                            const EtcdSettings& settings);

}  // namespace flotilla::store
