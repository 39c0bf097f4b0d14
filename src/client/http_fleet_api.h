// FleetApi over the HTTP API, by whatever transport.
#pragma once

#include <memory>

#include "client/fleet_api.h"
#include "client/http_transport.h"

namespace flotilla::client {

class HttpFleetApi final : public FleetApi {
 public:
  explicit HttpFleetApi(std::vector<Endpoint> endpoints)
      : HttpFleetApi(std::make_unique<HttpTransport>(std::move(endpoints))) {}
  explicit HttpFleetApi(std::unique_ptr<Transport> transport) : http_(std::move(transport)) {}

  base::Result<std::vector<Unit>> units() override;
  base::Result<std::vector<Unit>> units_without_options() override;
  base::Result<std::optional<Unit>> unit(const std::string& name) override;
  base::Result<std::vector<std::optional<Unit>>> units_named(
      const std::vector<std::string>& names) override;
  std::vector<base::Status> create_units(const std::vector<Unit>& units) override;
  std::vector<base::Status> set_desired_states(const std::vector<std::string>& names,
                                               const std::string& state) override;
  base::Status replace_contents(const Unit& unit) override;
  std::vector<base::Status> destroy_units(const std::vector<std::string>& names) override;
  base::Result<std::vector<UnitState>> unit_states() override;
  base::Result<std::vector<UnitState>> unit_states_of(const std::string& name) override;
  base::Result<std::vector<UnitState>> unit_states_named(
      const std::vector<std::string>& names) override;
  base::Result<std::vector<Machine>> machines() override;
  base::Status edit_metadata(const std::string& machine, const std::string& key,
                             const std::string& value) override;
  base::Result<std::vector<Machine>> metadata_edits() override;
  base::Result<bool> import_unit(const Unit& unit, bool replaces) override;
  base::Result<StatusText> unit_status(const std::string& name,
                                       const std::string& machine) override;
  base::Status unit_log(const std::string& name, const std::string& machine, const LogWish& wish,
                        const std::function<void(std::string_view)>& sink) override;
  base::Status restart_unit(const std::string& name, const std::string& machine) override;
  base::Result<Rebalance> rebalance_plan() override;
  base::Status rebalance() override;
  base::Result<std::vector<Eligibility>> explain(const std::string& name) override;
  base::Status wait_for_change(std::chrono::milliseconds at_most) override;

 private:
  base::Result<std::string> get(const std::string& target);
  base::Result<std::vector<Unit>> all_units(const std::string& query);
  base::Result<std::vector<UnitState>> all_states(const std::string& filter);
  // What a batch of requests to units is made of: as an HttpRequest each has its own target.
  struct UnitRequest {
    std::string method;
    std::string unit;
    std::string body;
  };
  std::vector<base::Result<HttpResponse>> send_all(const std::vector<UnitRequest>& requests);
  // nullopt if the server knows no batches.
  std::optional<std::vector<base::Result<HttpResponse>>> send_batches(
      const std::vector<UnitRequest>& requests);
  std::vector<base::Status> change_all(const std::vector<UnitRequest>& requests);

  std::unique_ptr<Transport> http_;
  bool has_events_ = true;   // until the server says otherwise
  bool has_batches_ = true;  //
};

// The error that an answer stands for, in the form of Google's API clients, which users' scripts
// know.
base::Error error_of(const HttpResponse& response);

// Percent-encodes what may not stand in one segment of a path or in a query value (RFC 3986, 2.3).
std::string percent_encode(std::string_view text);

}  // namespace flotilla::client
