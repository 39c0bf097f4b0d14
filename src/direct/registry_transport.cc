#include "direct/registry_transport.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "api/api.h"
#include "engine/rebalance.h"
#include "engine/scheduler.h"
#include "overlord/loop.h"
#include "registry/cluster_view.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "registry/registry.h"
#include "registry/view_on_demand.h"

namespace flotilla::direct {
namespace {

base::Unexpected ask_the_machine() {
  return base::unavailable("the machine that runs the unit has to be asked");
}

// This process is no machine of the cluster.
class NoMachine final : public api::UnitInspector {
 public:
  explicit NoMachine(base::EventLoop& loop) : loop_(loop) {}
  void status(const std::string&,
              std::function<void(base::Result<api::UnitStatusText>)> done) override {
    loop_.post([done = std::move(done)] { done(ask_the_machine()); });
  }
  void restart(const std::string&, std::function<void(base::Result<void>)> done) override {
    loop_.post([done = std::move(done)] { done(ask_the_machine()); });
  }
  base::Result<std::shared_ptr<api::BodyStream>> log(const std::string&,
                                                     const api::LogRequest&) override {
    return ask_the_machine();
  }

 private:
  base::EventLoop& loop_;
};

}  // namespace

class RegistryTransport::Impl {
 public:
  explicit Impl(const RegistryOptions& options) : options_(options), inspector_(loop_) {}

  base::Status open(const OpenStore& open_store) {
    FLOTILLA_ASSIGN(store_, open_store(loop_));
    FLOTILLA_TRY(check_format());
    FLOTILLA_TRY(read_machines());
    registry_.emplace(*store_, options_.prefix);
    view_.emplace(*store_, loop_, options_.prefix);
    subscription_ = view_->subscribe([this](const registry::ClusterChange&) {
      has_changed_ = true;
      loop_.stop();
    });
    on_demand_.emplace(*view_, loop_);
    api::ApiParts parts{*registry_, *view_, inspector_, {}, [] { return true; }};
    parts.on_demand = &*on_demand_;
    parts.explain = [this](const std::string& unit) { return explain(unit); };
    parts.plan_moves = [this] { return engine::plan_rebalance(view_->cluster()); };
    api_.emplace(std::move(parts));
    return {};
  }

  base::Result<client::HttpResponse> request(std::string_view method, const std::string& target,
                                             const std::string& body) {
    if (method != "GET") FLOTILLA_TRY(mark_format());
    api::Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    if (!body.empty()) request.content_types.emplace_back("application/json");
    const auto answer = std::make_shared<std::optional<api::Response>>();
    api_->handle(request, [this, answer](api::Response response) {
      *answer = std::move(response);
      loop_.stop();
    });
    // The store's own time limit comes first; this one ends a wait for what was written to show.
    if (!run_until([&] { return answer->has_value(); }, options_.patience * 2)) return no_answer();
    if ((*answer)->stream) return base::unsupported("{}: only a daemon's API streams", target);
    return client::HttpResponse{(*answer)->status, std::move((*answer)->body)};
  }

  base::Status wait_for_change(std::chrono::milliseconds at_most) {
    if (!on_demand_->use()) run_until([this] { return view_->has_data(); }, at_most);
    run_until([this] { return has_changed_; }, at_most);
    has_changed_ = false;
    return {};
  }

  // Runs the loop until `fact` holds; false if it does not after `at_most`. Whatever makes it true
  // stops the loop.
  bool run_until(const std::function<bool()>& fact, std::chrono::milliseconds at_most) {
    bool is_over = false;
    const base::RegistrationPtr limit = loop_.after(at_most, [&] {
      is_over = true;
      loop_.stop();
    });
    while (!fact() && !is_over) loop_.run();
    return fact();
  }

  const std::vector<registry::Machine>& machines() const { return machines_; }

 private:
  base::Unexpected no_answer() const {
    return base::unavailable("the registry did not answer within {} s",
                             static_cast<double>(options_.patience.count()) / 1000);
  }

  base::Result<store::RangeResponse> read(store::RangeRequest range) {
    const auto answer = std::make_shared<std::optional<base::Result<store::RangeResponse>>>();
    store_->range(std::move(range), [this, answer](base::Result<store::RangeResponse> result) {
      answer->emplace(std::move(result));
      loop_.stop();
    });
    if (!run_until([&] { return answer->has_value(); }, options_.patience)) return no_answer();
    return std::move(**answer);
  }

  // Whether this version may read what is there; nothing is there yet in a new cluster.
  base::Status check_format() {
    store::RangeRequest range;
    range.key = registry::Keys(options_.prefix).format();
    FLOTILLA_ASSIGN(const store::RangeResponse found, read(std::move(range)));
    if (found.kvs.empty()) return {};
    has_format_ = true;
    return registry::check_format(found.kvs.front());
  }

  base::Status read_machines() {
    store::RangeRequest range;
    range.key = registry::Keys(options_.prefix).machine({});
    range.range_end = store::prefix_end(range.key);
    FLOTILLA_ASSIGN(const store::RangeResponse found, read(std::move(range)));
    for (const store::KeyValue& record : found.kvs) {
      if (auto machine = registry::decode_machine(record.value)) {
        machines_.push_back(std::move(*machine));
      }
    }
    return {};
  }

  base::Status mark_format() {
    if (has_format_) return {};
    const auto answer = std::make_shared<std::optional<base::Status>>();
    registry_->open([this, answer](base::Status status) {
      answer->emplace(std::move(status));
      loop_.stop();
    });
    if (!run_until([&] { return answer->has_value(); }, options_.patience)) return no_answer();
    has_format_ = answer->value().has_value();
    return **answer;
  }

  std::vector<api::Eligibility> explain(const std::string& unit) const {
    std::vector<api::Eligibility> machines;
    for (engine::Verdict& verdict : engine::explain(view_->cluster(), unit)) {
      const bool is_eligible = verdict.why_not.empty();
      machines.push_back(
          {verdict.machine, is_eligible, is_eligible ? verdict.note : verdict.why_not});
    }
    return machines;
  }

  const RegistryOptions options_;
  overlord::AsioLoop loop_;
  NoMachine inspector_;
  std::unique_ptr<store::Store> store_;
  std::optional<registry::Registry> registry_;
  std::vector<registry::Machine> machines_;
  std::optional<registry::ClusterView> view_;
  std::optional<registry::ViewOnDemand> on_demand_;
  base::RegistrationPtr subscription_;
  std::optional<api::Api> api_;
  bool has_changed_ = true;  // for the first who waits
  bool has_format_ = false;
};

base::Result<std::unique_ptr<RegistryTransport>> RegistryTransport::open(
    const RegistryOptions& options, const OpenStore& open_store) {
  auto impl = std::make_unique<Impl>(options);
  FLOTILLA_TRY(impl->open(open_store));
  return std::unique_ptr<RegistryTransport>(new RegistryTransport(std::move(impl)));
}

RegistryTransport::RegistryTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RegistryTransport::~RegistryTransport() = default;

base::Result<client::HttpResponse> RegistryTransport::request(std::string_view method,
                                                              const std::string& target,
                                                              const std::string& json_body) {
  return impl_->request(method, target, json_body);
}

std::vector<base::Result<client::HttpResponse>> RegistryTransport::exchange(
    const std::vector<client::HttpRequest>& requests) {
  std::vector<base::Result<client::HttpResponse>> results;
  results.reserve(requests.size());
  for (const client::HttpRequest& one : requests) {
    results.push_back(impl_->request(one.method, one.target, one.json_body));
  }
  return results;
}

base::Result<client::HttpResponse> RegistryTransport::stream(
    const std::string& target, const std::function<void(std::string_view)>&) {
  return impl_->request("GET", target, {});
}

base::Status RegistryTransport::wait_for_change(std::chrono::milliseconds at_most) {
  return impl_->wait_for_change(at_most);
}

void RegistryTransport::run_for(std::chrono::milliseconds how_long) {
  impl_->run_until([] { return false; }, how_long);
}

const std::vector<registry::Machine>& RegistryTransport::machines() const {
  return impl_->machines();
}

}  // namespace flotilla::direct
