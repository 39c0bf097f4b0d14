// HTTP/1.1 over one kept connection; blocking. Of several endpoints the first that can be reached
// is used, until it fails or answers that it is unavailable (503): then the next one is asked.
// A request on a connection that the server has meanwhile closed is sent once more on a new one, if
// it cannot have been received.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/endpoint.h"
#include "client/transport.h"

namespace flotilla::client {

class HttpClient {
 public:
  // Requires: at least one endpoint.
  explicit HttpClient(std::vector<Endpoint> endpoints);
  explicit HttpClient(Endpoint endpoint) : HttpClient(std::vector<Endpoint>{std::move(endpoint)}) {}
  ~HttpClient();

  // Errors: kUnavailable if nobody listens or the connection breaks, kTimedOut if it breaks under a
  // POST, which is never sent twice, kTooLarge for a body over 64 MiB.
  base::Result<HttpResponse> request(std::string_view method, const std::string& target,
                                     const std::string& json_body);
  // Many requests in few round trips: they are sent without waiting for each answer. Requires: each
  // may be repeated without harm (GET, PUT, DELETE), since those that a breaking connection left
  // unanswered are sent again.
  std::vector<base::Result<HttpResponse>> exchange(const std::vector<HttpRequest>& requests);
  // As request() with GET, but a body of status 200 goes to `sink` as it arrives.
  base::Result<HttpResponse> stream(const std::string& target,
                                    const std::function<void(std::string_view)>& sink);
  // The endpoint that is in use.
  const Endpoint& endpoint() const { return endpoints_[current_]; }

 private:
  class Wire;
  base::Status connect();
  void use_next();
  base::Result<HttpResponse> request_once(const HttpRequest& request);
  base::Result<HttpResponse> stream_once(const std::string& target,
                                         const std::function<void(std::string_view)>& sink);
  base::Status exchange_window(const std::vector<HttpRequest>& requests, size_t begin,
                               std::vector<HttpResponse>& responses);

  std::vector<Endpoint> endpoints_;
  size_t current_ = 0;
  std::unique_ptr<Wire> wire_;
};

}  // namespace flotilla::client
