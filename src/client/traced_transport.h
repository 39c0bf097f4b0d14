// A Transport that tells of each request and its answer.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "client/transport.h"

namespace flotilla::client {

class TracedTransport final : public Transport {
 public:
  using Trace = std::function<void(const std::string& text)>;

  TracedTransport(std::unique_ptr<Transport> transport, Trace trace)
      : transport_(std::move(transport)), trace_(std::move(trace)) {}

  base::Result<HttpResponse> request(std::string_view method, const std::string& target,
                                     const std::string& json_body) override {
    tell(method, target);
    base::Result<HttpResponse> response = transport_->request(method, target, json_body);
    tell(method, target, response);
    return response;
  }
  std::vector<base::Result<HttpResponse>> exchange(
      const std::vector<HttpRequest>& requests) override {
    for (const HttpRequest& request : requests) tell(request.method, request.target);
    std::vector<base::Result<HttpResponse>> responses = transport_->exchange(requests);
    for (size_t i = 0; i < responses.size(); ++i) {
      tell(requests[i].method, requests[i].target, responses[i]);
    }
    return responses;
  }
  base::Result<HttpResponse> stream(const std::string& target,
                                    const std::function<void(std::string_view)>& sink) override {
    tell("GET", target);
    base::Result<HttpResponse> response = transport_->stream(target, sink);
    tell("GET", target, response);
    return response;
  }
  base::Status wait_for_change(std::chrono::milliseconds at_most) override {
    return transport_->wait_for_change(at_most);
  }

 private:
  void tell(std::string_view method, const std::string& target) const {
    trace_(fmt::format("HTTP {} {}", method, target));
  }
  void tell(std::string_view method, const std::string& target,
            const base::Result<HttpResponse>& response) const {
    trace_(response ? fmt::format("HTTP {} {} {}", method, target, response->status)
                    : fmt::format("HTTP {} {}: {}", method, target, response.error().message));
  }

  std::unique_ptr<Transport> transport_;
  Trace trace_;
};

// The transport itself where nobody wants to be told.
inline std::unique_ptr<Transport> traced(std::unique_ptr<Transport> transport,
                                         const TracedTransport::Trace& trace) {
  if (!trace) return transport;
  return std::make_unique<TracedTransport>(std::move(transport), trace);
}

}  // namespace flotilla::client
