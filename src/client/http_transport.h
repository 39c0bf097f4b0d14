// Transport over HTTP: requests on one connection, the events on another.
#pragma once

#include "client/event_stream.h"
#include "client/http_client.h"
#include "client/transport.h"

namespace flotilla::client {

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(std::vector<Endpoint> endpoints) : http_(std::move(endpoints)) {}

  base::Result<HttpResponse> request(std::string_view method, const std::string& target,
                                     const std::string& json_body) override {
    return http_.request(method, target, json_body);
  }
  std::vector<base::Result<HttpResponse>> exchange(
      const std::vector<HttpRequest>& requests) override {
    return http_.exchange(requests);
  }
  base::Result<HttpResponse> stream(const std::string& target,
                                    const std::function<void(std::string_view)>& sink) override {
    return http_.stream(target, sink);
  }
  base::Status wait_for_change(std::chrono::milliseconds at_most) override {
    // Through a tunnel every connection is a log-in of its own.
    if (http_.endpoint().kind == Endpoint::Kind::kCommand) {
      return base::unsupported("no events through a tunnel");
    }
    return events_.wait(http_.endpoint(), at_most);
  }

 private:
  HttpClient http_;
  EventStream events_;
};

}  // namespace flotilla::client
