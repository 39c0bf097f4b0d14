// A request and its response as values: the API is handle(Request) -> Response, and sockets come
// later (server.h). Tests call it plainly.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flotilla::api {

// What a client may do: everything, or read alone (server.h).
enum class Role : uint8_t { kAdmin, kReader };

struct Request {
  std::string method;
  std::string target;                      // as sent: path and query, still percent-encoded
  std::vector<std::string> content_types;  // one for each Content-Type header
  std::string body;
  std::string last_event_id = {};  // the header of that name: where a stream of events goes on
  std::string forwarded_by = {};   // the machine that passed it on (peer_api.h); empty: a client's
  Role role = Role::kAdmin;
};

// The body of a response whose length is not known when it begins. Loop thread only.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // Calls `ready` whenever there may be more to read, from a later turn of the loop on.
  virtual void start(std::function<void()> ready) = 0;
  // Appends what there is to `out`, a few hundred KiB at most; false at the end of the body.
  virtual bool read(std::string& out) = 0;
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::shared_ptr<BodyStream> stream;  // instead of body: sent in chunks
  bool is_ours = true;  // carries the Server header; not so for 503s before the handlers
};

using Respond = std::function<void(Response)>;

// Responses with a JSON body, and the error body {"error":{"code":...,"message":"..."}}.
Response json_response(int status, std::string body);
Response error_response(int status, std::string_view message);
Response empty_response(int status);

}  // namespace flotilla::api
