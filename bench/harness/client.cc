#include "harness/client.h"

#include <optional>

#include "harness/harness.h"

namespace flotilla::bench {
namespace {

constexpr base::Micros kPatience{60'000'000};

bus::Systemd1ClientOptions options_for(const std::string& folder) {
  bus::Systemd1ClientOptions options;
  options.connection.socket_path = folder + "/run/systemd/private";
  return options;
}

}  // namespace

Client::Client(const std::string& folder) : client_(loop_, options_for(folder)) {
  if (!loop_.run_until([this] { return client_.is_connected(); }, kPatience)) {
    die("the manager's socket does not answer");
  }
}

template <typename T, typename Call>
T Client::wait_for(const std::string& what, Call&& call) {
  std::optional<base::Result<T>> answer;
  call([&answer](base::Result<T> result) { answer.emplace(std::move(result)); });
  if (!loop_.run_until([&answer] { return answer.has_value(); }, kPatience)) {
    die(what + ": no answer");
  }
  if (!*answer) die(what + ": " + answer->error().message);
  return std::move(**answer);
}

void Client::start(const std::string& unit) {
  const auto result = wait_for<bus::JobResult>("start " + unit, [&](auto done) {
    client_.start(unit, bus::JobMode::kReplace, std::move(done));
  });
  if (result != bus::JobResult::kDone) die(unit + " could not be started");
}

void Client::stop(const std::string& unit) {
  const auto result = wait_for<bus::JobResult>("stop " + unit, [&](auto done) {
    client_.stop(unit, bus::JobMode::kReplace, std::move(done));
  });
  if (result != bus::JobResult::kDone) die(unit + " could not be stopped");
}

size_t Client::list_units() {
  return wait_for<std::vector<bus::UnitState>>(
             "list the units", [&](auto done) { client_.list_units(std::move(done)); })
      .size();
}

}  // namespace flotilla::bench
