// What the API asks of the machine a unit runs on: its status as `systemctl status` prints it, and
// its log. The seam between the routes and the service manager's side of fleetd.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/message.h"
#include "base/result.h"

namespace flotilla::api {

struct UnitStatusText {
  std::string text;
  int exit_status = 0;  // systemctl's: 0 active, 3 not active, 4 no such unit
};

struct LogRequest {
  int lines = 10;
  bool follow = false;
  std::string form{};  // journalctl's name of an output; empty: "short"
};

class UnitInspector {
 public:
  virtual ~UnitInspector() = default;
  // Loop thread only; `done` is called once, in a later turn.
  virtual void status(const std::string& unit,
                      std::function<void(base::Result<UnitStatusText>)> done) = 0;
  // Restarts the unit and waits for the end of it. Errors: kConflict if it did not come up again.
  virtual void restart(const std::string& unit, std::function<void(base::Result<void>)> done) = 0;
  // The last lines as `journalctl -o FORM` prints them; with `follow` the stream goes on with new
  // ones and never ends by itself. Errors: kInvalid for a form there is not.
  virtual base::Result<std::shared_ptr<BodyStream>> log(const std::string& unit,
                                                        const LogRequest& request) = 0;
};

}  // namespace flotilla::api
