// Many requests in one: what a client does to hundreds of units costs it one round trip, and the
// store, the scheduler and the agents see it all at once.
#include "api/go_json.h"
#include "api/handlers.h"
#include "api/json_text.h"

namespace flotilla::api {
namespace {

constexpr size_t kMaxBatch = 1000;

struct Item {
  Request request;  // its target is the unit's name
  Response response;
};

// Kept alive by the items that are not answered yet.
struct Batch {
  std::vector<Item> items;
  size_t unanswered = 0;
  Respond respond;
};

base::Result<Item> read_item(GoJson& json) {
  if (json.kind() != GoJson::Kind::kObject) {
    return base::invalid("expected an object for each request, got {}", json.kind_name());
  }
  Item item;
  item.request.content_types = {"application/json"};
  FLOTILLA_TRY(json.each_member([&](const std::string& key) -> base::Status {
    std::string* text = nullptr;
    if (is_field(key, "method")) text = &item.request.method;
    if (is_field(key, "unit")) text = &item.request.target;
    if (is_field(key, "body")) text = &item.request.body;
    if (text == nullptr) {
      json.skip();
      return {};
    }
    if (json.kind() != GoJson::Kind::kString) {
      return base::invalid("expected a text for {}, got {}", key, json.kind_name());
    }
    *text = json.text();
    return {};
  }));
  return item;
}

base::Result<std::vector<Item>> decode_batch(std::string_view body) {
  FLOTILLA_ASSIGN(GoJson json, GoJson::begin(body));
  if (json.kind() != GoJson::Kind::kObject) {
    return base::invalid("expected an object, got {}", json.kind_name());
  }
  std::vector<Item> items;
  FLOTILLA_TRY(json.each_member([&](const std::string& key) -> base::Status {
    if (!is_field(key, "requests") || json.kind() != GoJson::Kind::kArray) {
      json.skip();
      return {};
    }
    return json.each_item([&]() -> base::Status {
      if (items.size() == kMaxBatch) {
        return base::too_large("a batch has at most {} requests", kMaxBatch);
      }
      FLOTILLA_ASSIGN(Item item, read_item(json));
      items.push_back(std::move(item));
      return {};
    });
  }));
  return items;
}

void answer(Batch& batch) {
  JsonText json;
  json.begin_object().key("results").begin_array();
  for (const Item& item : batch.items) {
    json.begin_object().field("body", item.response.body);
    json.key("status").number(item.response.status).end_object();
  }
  json.end_array().end_object();
  batch.respond(json_response(200, std::move(json).str()));
}

// The handler of a request to a unit; null for a method that is none.
void (Handlers::*handler_of(std::string_view method))(Call&) {
  if (method == "GET") return &Handlers::get_unit;
  if (method == "PUT") return &Handlers::put_unit;
  if (method == "DELETE") return &Handlers::delete_unit;
  return nullptr;
}

}  // namespace

void Handlers::run_batch(Call& call) {
  if (const std::string why = refuse_content_type(call.request.content_types); !why.empty()) {
    return call.respond(error_response(415, why));
  }
  base::Result<std::vector<Item>> items = decode_batch(call.request.body);
  if (!items) {
    return call.respond(error_response(400, "unable to decode body: " + items.error().message));
  }
  const auto batch = std::make_shared<Batch>();
  batch->items = std::move(*items);
  batch->respond = call.respond;
  // One more, so that answers which come at once do not end it before the last has begun.
  batch->unanswered = batch->items.size() + 1;
  const auto settle = [batch] {
    if (--batch->unanswered == 0) answer(*batch);
  };
  for (size_t i = 0; i < batch->items.size(); ++i) {
    const Request& request = batch->items[i].request;
    Call one{request, call.target, request.target, [batch, settle, i](Response response) {
               batch->items[i].response = std::move(response);
               settle();
             }};
    if (const auto handler = handler_of(request.method)) {
      (this->*handler)(one);
    } else {
      one.respond(error_response(405, "only GET, PUT and DELETE supported against this resource"));
    }
  }
  settle();
}

}  // namespace flotilla::api
