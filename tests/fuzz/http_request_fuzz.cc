// libraries: flotilla_api flotilla_store
// A request of a stranger: its head as bytes, its target, its body, and the whole of it through the
// API. Every request is answered once, with a status and with text that is UTF-8.
#include <cstdlib>
#include <memory>

#include "api/api.h"
#include "api/fake_inspector.h"
#include "api/go_json.h"
#include "api/path.h"
#include "api/request_head.h"
#include "api/unit_body.h"
#include "base/fake_event_loop.h"
#include "store/memory_store.h"
#include "unit/utf8.h"

namespace {

using namespace flotilla;  // NOLINT: a program of one file

void require(bool condition) {
  if (!condition) std::abort();
}

void try_head(std::string_view bytes) {
  const size_t length = api::head_length(bytes);
  require(length <= bytes.size());
  for (size_t from = 0; from <= bytes.size() && from < 64; ++from) {
    // Where it was looked for before and not found, it may be left out.
    if (length == 0 || from < length) require(api::head_length(bytes, from) == length);
  }
  if (length == 0) return;
  const std::string head = api::with_crlf(bytes.substr(0, length));
  require(head.size() >= length && api::head_length(head) == head.size());
}

void try_target(std::string_view bytes) {
  const auto target = api::parse_target(bytes);
  if (!target) return;
  const std::string clean = api::clean_path(target->path);
  require(!clean.empty() && clean[0] == '/' && api::clean_path(clean) == clean);
}

void try_body(std::string_view bytes) {
  if (auto json = api::GoJson::begin(bytes)) json->skip();
  if (const auto unit = api::decode_unit_body(bytes)) {
    require(unit::is_valid_utf8(unit->name) && unit::is_valid_utf8(unit->desired_state));
    for (const unit::UnitOption& option : unit->options) {
      require(unit::is_valid_utf8(option.value));
    }
  }
  (void)api::decode_machine_edits(bytes);
}

// One cluster for all runs: what they leave behind is the next one's state.
struct World {
  World() {
    registry.open([](const base::Result<void>&) {});
    view.open();
    loop.settle();
  }
  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> store = store::make_memory_store(loop);
  registry::Registry registry{*store, "/flotilla"};
  registry::ClusterView view{*store, loop, "/flotilla"};
  api::FakeInspector inspector;
  api::Api the_api{{registry, view, inspector, "m1", [] { return true; }}};
};

void try_request(std::string_view bytes) {
  static auto world = std::make_unique<World>();
  if (world->view.cluster().units.size() > 200) world = std::make_unique<World>();
  constexpr const char* kMethods[] = {"GET", "PUT", "DELETE", "PATCH", "POST"};
  const size_t line = std::min(bytes.find_first_of("\r\n"), bytes.size());
  api::Request request;
  request.method = bytes.empty() ? "" : kMethods[static_cast<unsigned char>(bytes[0]) % 5];
  request.target = bytes.empty() ? "" : bytes.substr(1, line - 1);
  request.content_types = {"application/json"};
  request.body = line < bytes.size() ? bytes.substr(line + 1) : "";
  int answers = 0;
  world->the_api.handle(std::move(request), [&](api::Response response) {
    ++answers;
    require(response.status >= 200 && response.status < 600);
    require(unit::is_valid_utf8(response.body));
    for (const auto& [name, value] : response.headers) {
      require(value.find_first_of("\r\n") == std::string::npos);
    }
  });
  world->loop.settle();
  require(answers == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try_head(bytes);
  try_target(bytes);
  try_body(bytes);
  try_request(bytes);
  return 0;
}
