// A PeerApi that remembers what it was asked and answers what it is told.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "api/peer_api.h"

namespace flotilla::api {

class FakePeers final : public PeerApi {
 public:
  void ask(const PeerRequest& request, Respond respond) override {
    const std::string_view how = request.answer == PeerRequest::Answer::kAtOnce ? "at once"
                                 : request.answer == PeerRequest::Answer::kText ? "text"
                                                                                : "when done";
    asked.push_back(
        fmt::format("{} {} {}, {}", request.address, request.method, request.target, how));
    respond(answer);
  }

  std::vector<std::string> asked;
  Response answer = empty_response(204);
};

}  // namespace flotilla::api
