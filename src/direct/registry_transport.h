// RegistryTransport: the API without a daemon. Answers requests in this process, by the handlers of
// api/ over a store of its own: what fleetctl works with where it speaks to etcd itself.
//
// Owned by the client's FleetApi; one thread, which runs the loop only inside the calls: each call
// blocks. What a machine alone can tell (status, logs, restarts) is answered with 503, so that
// fleetctl goes there by SSH.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "client/transport.h"
#include "registry/objects.h"
#include "store/store.h"

namespace flotilla::direct {

struct RegistryOptions {
  std::string prefix;  // of all keys, as registry::Keys wants it
  // Within which the store must answer; no longer is waited for it at once.
  std::chrono::milliseconds patience{3000};
};

class RegistryTransport final : public client::Transport {
 public:
  using OpenStore =
      std::function<base::Result<std::unique_ptr<store::Store>>(base::EventLoop& loop)>;

  // Reads which machines there are; all else is read when it is asked for, of one unit only that,
  // where the API can do so. Writes nothing: not even the mark of its format, which comes with the
  // first change. Errors: those of `open_store`; kUnavailable if there is no answer in time;
  // kUnsupported for a registry of a newer version.
  static base::Result<std::unique_ptr<RegistryTransport>> open(const RegistryOptions& options,
                                                               const OpenStore& open_store);
  ~RegistryTransport() override;

  base::Result<client::HttpResponse> request(std::string_view method, const std::string& target,
                                             const std::string& json_body) override;
  std::vector<base::Result<client::HttpResponse>> exchange(
      const std::vector<client::HttpRequest>& requests) override;
  base::Result<client::HttpResponse> stream(
      const std::string& target, const std::function<void(std::string_view)>& sink) override;
  base::Status wait_for_change(std::chrono::milliseconds at_most) override;

  // Lets time pass while the view of the registry follows what happens.
  void run_for(std::chrono::milliseconds how_long);
  // Those that were there when it was opened.
  const std::vector<registry::Machine>& machines() const;

 private:
  class Impl;
  explicit RegistryTransport(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::direct
