// What this machine knows of its units, for the API: status from the service manager, logs from the
// files of flotilla-logd.
#pragma once

#include <string>

#include "api/unit_inspector.h"
#include "base/event_loop.h"
#include "bus/unit_manager.h"

namespace flotilla::fleetd {

class LocalInspector final : public api::UnitInspector {
 public:
  // `log_directory` holds one folder for each unit. Requires: loop and manager outlive the
  // inspector and its streams.
  LocalInspector(base::EventLoop& loop, bus::UnitManager& manager, std::string log_directory);

  void status(const std::string& unit,
              std::function<void(base::Result<api::UnitStatusText>)> done) override;
  void restart(const std::string& unit, std::function<void(base::Result<void>)> done) override;
  base::Result<std::shared_ptr<api::BodyStream>> log(const std::string& unit,
                                                     const api::LogRequest& request) override;

 private:
  std::string last_lines(const std::string& unit, size_t count) const;

  base::EventLoop& loop_;
  bus::UnitManager& manager_;
  std::string log_directory_;
  std::string host_;
};

}  // namespace flotilla::fleetd
