// PeerClient: the APIs of other machines over HTTP. Each request has a connection of its own.
//
// A machine is given up when it does not accept the connection within 5 s, does not begin its
// answer within 15 s (but for a restart, which takes the time it takes), or when nothing of it is
// heard for 30 s although the network was asked to look. Loop thread only.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <unordered_set>

#include "api/peer_api.h"
#include "overlord/loop.h"
#include "tls/context.h"

namespace flotilla::api {

struct PeerLimits {
  std::chrono::milliseconds connecting{5'000};
  std::chrono::milliseconds answering{15'000};
};

class PeerClient final : public PeerApi {
 public:
  // `self` is the id of this machine; `tls` who it is to machines at https://, if it is somebody.
  // Requires: `loop` outlives the client.
  PeerClient(overlord::AsioLoop& loop, std::string self,
             std::shared_ptr<const tls::Context> tls = nullptr, PeerLimits limits = {});
  // Ends what is under way without an answer.
  ~PeerClient() override;
  PeerClient(const PeerClient&) = delete;
  PeerClient& operator=(const PeerClient&) = delete;

  void ask(const PeerRequest& request, Respond respond) override;

  class Call;  // peer_client.cc

 private:
  overlord::AsioLoop& loop_;
  const std::string self_;
  const std::shared_ptr<const tls::Context> tls_;
  const PeerLimits limits_;
  std::shared_ptr<std::unordered_set<Call*>> calls_;
};

}  // namespace flotilla::api
