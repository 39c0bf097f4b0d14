// How this daemon asks the API of another machine for what only that machine knows: the seam
// between the routes and the network.
#pragma once

#include <string>

#include "api/message.h"

namespace flotilla::api {

// Carries the id of the machine that passed a request on; who gets it passes it on no further.
inline constexpr const char* kForwardedBy = "Fleet-Forwarded-By";

struct PeerRequest {
  // kAtOnce: a small answer, soon. kText: a text that may go on for ever. kWhenDone: a small answer
  // at the end of what was asked for, however long that takes.
  enum class Answer { kAtOnce, kText, kWhenDone };

  std::string machine;  // its id
  std::string address;  // of its API: http://HOST:PORT, https://HOST:PORT
  std::string method;
  std::string target;
  Answer answer = Answer::kAtOnce;
};

class PeerApi {
 public:
  virtual ~PeerApi() = default;
  // Loop thread only; `respond` is called once, in a later turn: with the answer of the machine, or
  // with a 503 that says why there is none; 504 if the machine may have done what no GET asked for.
  virtual void ask(const PeerRequest& request, Respond respond) = 0;
};

}  // namespace flotilla::api
