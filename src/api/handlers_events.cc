// The route of events.
#include <charconv>

#include "api/event_stream.h"
#include "api/handlers.h"

namespace flotilla::api {
namespace {

// Where the stream goes on: what the client saw last, by itself or by what it was told to ask for.
base::Result<store::Revision> revision_asked_for(const Call& call, store::Revision now) {
  std::string_view text = call.request.last_event_id;
  if (text.empty()) text = call.target.parameter("since");
  if (text.empty()) return now;
  store::Revision revision = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (error != std::errc() || end != text.data() + text.size() || revision < 0) {
    return base::invalid("invalid value \"{}\" for since: expected a revision", text);
  }
  return revision;
}

Response too_old(store::Revision revision, store::Revision now) {
  return error_response(
      410, fmt::format("there is no history since revision {}: list anew, then ask since {}",
                       revision, now));
}

}  // namespace

void Handlers::get_events(Call& call) {
  const base::Result<store::Revision> since = revision_asked_for(call, cluster().revision);
  if (!since) return call.respond(error_response(400, since.error().message));
  store::RangeRequest probe;
  probe.key = registry::Keys(parts.registry.prefix()).format();
  probe.revision = std::max<store::Revision>(*since, 1);
  probe.limit = 1;
  probe.keys_only = true;
  parts.registry.store().range(
      std::move(probe), [self = shared_from_this(), since = *since,
                         respond = call.respond](const base::Result<store::RangeResponse>& then) {
        if (!then) {
          const bool is_gone = then.error().code == base::Errc::kNotFound ||
                               then.error().code == base::Errc::kInvalid;
          return respond(is_gone ? too_old(since, self->cluster().revision)
                                 : failure_response(then.error()));
        }
        Response response;
        response.headers.emplace_back("Content-Type", "text/event-stream");
        response.headers.emplace_back("Cache-Control", "no-cache");
        response.stream = std::make_shared<EventStream>(self->parts.registry.store(),
                                                        self->parts.registry.prefix(), since);
        respond(std::move(response));
      });
}

}  // namespace flotilla::api
