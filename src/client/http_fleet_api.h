// FleetApi over HTTP.
#pragma once

#include "client/fleet_api.h"
#include "client/http_client.h"

namespace flotilla::client {

class HttpFleetApi final : public FleetApi {
 public:
  explicit HttpFleetApi(Endpoint endpoint) : http_(std::move(endpoint)) {}

  base::Result<std::vector<Unit>> units() override;
  base::Result<std::optional<Unit>> unit(const std::string& name) override;
  base::Status create_unit(const Unit& unit) override;
  base::Status set_desired_state(const std::string& name, const std::string& state) override;
  base::Status destroy_unit(const std::string& name) override;
  base::Result<std::vector<UnitState>> unit_states() override;
  base::Result<std::vector<UnitState>> unit_states_of(const std::string& name) override;
  base::Result<std::vector<Machine>> machines() override;
  base::Result<StatusText> unit_status(const std::string& name) override;
  base::Status unit_log(const std::string& name, int lines, bool follow,
                        const std::function<void(std::string_view)>& sink) override;

 private:
  base::Result<std::string> get(const std::string& target);
  base::Result<std::vector<UnitState>> all_states(const std::string& filter);

  HttpClient http_;
};

// The error that an answer stands for, in the form of Google's API clients, which users' scripts
// know.
base::Error error_of(const HttpResponse& response);

// Percent-encodes what may not stand in one segment of a path or in a query value (RFC 3986, 2.3).
std::string percent_encode(std::string_view text);

}  // namespace flotilla::client
