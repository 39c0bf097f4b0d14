// HTTP/1.1 over one kept connection to an Endpoint; blocking. A request on a connection that the
// server has meanwhile closed is sent once more on a new one, if it cannot have been received.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/endpoint.h"

namespace flotilla::client {

struct HttpResponse {
  int status = 0;
  std::string body;
};

class HttpClient {
 public:
  explicit HttpClient(Endpoint endpoint);
  ~HttpClient();

  // Errors: kUnavailable if nobody listens or the connection breaks, kTooLarge for a body over 64
  // MiB.
  base::Result<HttpResponse> request(std::string_view method, const std::string& target,
                                     const std::string& json_body);
  // As request() with GET, but a body of status 200 goes to `sink` as it arrives.
  base::Result<HttpResponse> stream(const std::string& target,
                                    const std::function<void(std::string_view)>& sink);

 private:
  class Connection;
  base::Status connect();

  Endpoint endpoint_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace flotilla::client
