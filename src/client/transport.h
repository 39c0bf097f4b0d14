// How requests reach the API: over HTTP, or to an API in the same process. The seam below
// HttpFleetApi. Calls block.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotilla::client {

struct HttpRequest {
  std::string method;
  std::string target;
  std::string json_body;  // empty: none
};

struct HttpResponse {
  int status = 0;
  std::string body;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Errors: kUnavailable where there is no answer; kTimedOut where it is not known whether what a
  // POST asks for was done.
  virtual base::Result<HttpResponse> request(std::string_view method, const std::string& target,
                                             const std::string& json_body) = 0;
  // One answer for each. Requires: each may be repeated without harm.
  virtual std::vector<base::Result<HttpResponse>> exchange(
      const std::vector<HttpRequest>& requests) = 0;
  // As request() with GET, but a body of status 200 goes to `sink` as it arrives.
  virtual base::Result<HttpResponse> stream(const std::string& target,
                                            const std::function<void(std::string_view)>& sink) = 0;
  // As FleetApi::wait_for_change().
  virtual base::Status wait_for_change(std::chrono::milliseconds at_most) = 0;
};

}  // namespace flotilla::client
