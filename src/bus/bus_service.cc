#include "bus/bus_service.h"

#include <utility>

#include "bus/sd_bus_api.h"

namespace flotilla::bus {

using base::Result;
using base::Status;

namespace {

// Apart from the numbers that a Server gives.
constexpr uint64_t kFirstId = uint64_t{1} << 62;
constexpr size_t kMostPeers = 1024;
constexpr size_t kMostWaiting = 256;  // calls of one client before it is known
constexpr uint32_t kIsOwner = 1;      // of the answers of RequestName
constexpr uint32_t kWasOwner = 4;

}  // namespace

// The question who a client is, until the bus has answered it.
struct BusService::Lookup {
  BusService* service;
  std::string sender;
  sd_bus_slot* slot = nullptr;

  Lookup(BusService* of, std::string whose) : service(of), sender(std::move(whose)) {}
  ~Lookup() {
    if (slot != nullptr) sd_bus_api().sd_bus_slot_unref(slot);
  }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  static int on_answer(sd_bus_message* raw, void* userdata, sd_bus_error*) {
    auto* lookup = static_cast<Lookup*>(userdata);
    BusService& service = *lookup->service;
    const auto found = service.lookups_.find(lookup->sender);
    const std::unique_ptr<Lookup> own = std::move(found->second);
    service.lookups_.erase(found);
    service.learn(own->sender, Message::share(raw));
    return 1;
  }
};

// The question whether somebody has a name, until the bus has answered it.
struct BusService::NameQuery {
  BusService* service;
  std::string name;
  sd_bus_slot* slot = nullptr;

  NameQuery(BusService* of, std::string which) : service(of), name(std::move(which)) {}
  ~NameQuery() {
    if (slot != nullptr) sd_bus_api().sd_bus_slot_unref(slot);
  }
  NameQuery(const NameQuery&) = delete;
  NameQuery& operator=(const NameQuery&) = delete;

  static int on_answer(sd_bus_message* raw, void* userdata, sd_bus_error*) {
    auto* query = static_cast<NameQuery*>(userdata);
    BusService& service = *query->service;
    const std::unique_ptr<NameQuery> own = std::move(service.names_[query->name]);
    service.learn_owner(own->name, Message::share(raw));
    return 1;
  }
};

namespace {

int on_raw_call(sd_bus_message* raw, void* userdata, sd_bus_error*) {
  return (*static_cast<std::function<int(sd_bus_message*)>*>(userdata))(raw);
}

}  // namespace

BusService::BusService(base::EventLoop& loop, std::string name, ServerHandler& handler,
                       Server::Log log, std::function<void()> on_closed)
    : loop_(loop),
      name_(std::move(name)),
      handler_(handler),
      log_(std::move(log)),
      on_closed_(std::move(on_closed)),
      next_id_(kFirstId) {
  on_call_ = [this](sd_bus_message* raw) { return on_call(raw); };
  on_filtered_ = [this](sd_bus_message* raw) { return on_filtered(raw); };
  on_name_answer_ = [this](sd_bus_message* raw) { return on_name_answer(raw); };
}

BusService::~BusService() {
  lookups_.clear();
  names_.clear();
  for (sd_bus_slot* slot : slots_) sd_bus_api().sd_bus_slot_unref(slot);
}

Result<std::unique_ptr<BusService>> BusService::open(base::EventLoop& loop,
                                                     const std::string& socket_path,
                                                     std::string name, ServerHandler& handler,
                                                     Server::Log log,
                                                     std::function<void()> on_closed) {
  std::unique_ptr<BusService> service(
      new BusService(loop, std::move(name), handler, std::move(log), std::move(on_closed)));
  FLOTILLA_TRY(service->start(socket_path));
  return service;
}

Status BusService::start(const std::string& socket_path) {
  FLOTILLA_ASSIGN(const SdBusApi* api, load_sd_bus_api());
  sd_bus* bus = nullptr;
  int result = api->sd_bus_new(&bus);
  if (result < 0) return base::system_error(-result, "make a D-Bus connection");
  sd_bus_slot* slot = nullptr;
  result = api->sd_bus_set_address(bus, ("unix:path=" + socket_path).c_str());
  if (result >= 0) result = api->sd_bus_set_bus_client(bus, 1);
  if (result >= 0) result = api->sd_bus_negotiate_fds(bus, 1);
  if (result >= 0) result = api->sd_bus_add_filter(bus, &slot, &on_raw_call, &on_filtered_);
  if (slot != nullptr) slots_.push_back(std::exchange(slot, nullptr));
  if (result >= 0) result = api->sd_bus_add_fallback(bus, &slot, "/", &on_raw_call, &on_call_);
  if (slot != nullptr) slots_.push_back(std::exchange(slot, nullptr));
  if (result >= 0) result = api->sd_bus_start(bus);
  if (result < 0) {
    api->sd_bus_unref(bus);
    return base::system_error(-result, "connect to the bus at {}", socket_path);
  }
  pump_ = std::make_unique<Pump>(loop_, bus, [this](int) { on_closed(); });
  ask_for_name();
  return {};
}

Result<MessageWriter> BusService::call_of_daemon(const char* member) const {
  sd_bus_message* message = nullptr;
  const int result = sd_bus_api().sd_bus_message_new_method_call(
      pump_->bus(), &message, "org.freedesktop.DBus", "/org/freedesktop/DBus",
      "org.freedesktop.DBus", member);
  if (result < 0) return base::system_error(-result, "compose a call of {}", member);
  return MessageWriter(Message::adopt(message));
}

// --- The name ---

void BusService::ask_for_name() {
  Result<MessageWriter> call = call_of_daemon("RequestName");
  if (!call) return log_("bus: " + call.error().message);
  call->string(name_).u32(0);
  Result<Message> message = std::move(*call).finish();
  sd_bus_slot* slot = nullptr;
  if (message) {
    sd_bus_api().sd_bus_call_async(pump_->bus(), &slot, message->get(), &on_raw_call,
                                   &on_name_answer_, 0);
  }
  if (slot != nullptr) slots_.push_back(slot);
  pump_->update();
}

int BusService::on_name_answer(sd_bus_message* raw) {
  const Message answer = Message::share(raw);
  if (const Status status = answer.error(); !status) {
    log_("bus: the bus does not give us the name " + name_ + ": " + status.error().message);
    return 1;
  }
  const uint32_t code = MessageReader(answer).u32().value_or(0);
  if (code != kIsOwner && code != kWasOwner) {
    log_("bus: somebody else has the name " + name_ + " on the bus");
  }
  return 1;
}

// --- Calls ---

int BusService::on_call(sd_bus_message* raw) {
  const Message message = Message::share(raw);
  const std::string sender(message.sender());
  if (sender.empty()) return 1;
  if (const auto known = peers_.find(sender); known != peers_.end()) {
    const Peer peer = known->second;
    dispatch(message, peer);
    return 1;
  }
  std::vector<Message>& queue = waiting_[sender];
  if (queue.size() >= kMostWaiting) return 1;  // it will hear of it by its own time limit
  queue.push_back(message);
  if (lookups_.count(sender) == 0) ask_who_calls(sender);
  return 1;
}

void BusService::ask_who_calls(const std::string& sender) {
  Result<MessageWriter> call = call_of_daemon("GetConnectionCredentials");
  if (!call) return log_("bus: " + call.error().message);
  call->string(sender);
  Result<Message> message = std::move(*call).finish();
  if (!message) return log_("bus: " + message.error().message);
  auto lookup = std::make_unique<Lookup>(this, sender);
  const int result = sd_bus_api().sd_bus_call_async(pump_->bus(), &lookup->slot, message->get(),
                                                    &Lookup::on_answer, lookup.get(), 0);
  if (result < 0) return log_("bus: cannot ask who " + sender + " is");
  lookups_.emplace(sender, std::move(lookup));
  pump_->update();
}

void BusService::learn(const std::string& sender, const Message& answer) {
  const std::vector<Message> queue = std::move(waiting_[sender]);
  waiting_.erase(sender);
  const Status status = answer.error();
  if (!status) return;  // it is gone already: nobody waits for an answer
  const auto credentials = MessageReader(answer).properties();
  if (!credentials) return;
  Peer peer;
  peer.connection = next_id_++;
  // Whom the bus does not know is nobody in particular, and may read.
  peer.uid = static_cast<uid_t>(unsigned_property(*credentials, "UnixUserID", UINT32_MAX));
  peer.gid = static_cast<gid_t>(UINT32_MAX);
  peer.pid = static_cast<pid_t>(unsigned_property(*credentials, "ProcessID", 0));
  peer.bus_name = sender;
  if (peers_.size() >= kMostPeers) {
    for (auto it = peers_.begin(); it != peers_.end();) {
      it = watched_.count(it->first) == 0 ? peers_.erase(it) : std::next(it);
    }
  }
  peers_.emplace(sender, peer);
  for (const Message& message : queue) dispatch(message, peer);
}

void BusService::dispatch(const Message& message, const Peer& peer) {
  MethodCall call(*this, message, peer);
  handler_.on_call(call);
  if (!call.is_answered()) {
    call.send_error("org.freedesktop.DBus.Error.Failed", "The call was left without an answer");
  }
}

void BusService::resume(const DeferredCall& call, const std::function<void(MethodCall&)>& answer) {
  MethodCall resumed(*this, call.message, call.peer);
  answer(resumed);
}

void BusService::reply(Result<Message> message) {
  if (!message) return log_("bus: " + message.error().message);
  static_cast<void>(sd_bus_api().sd_bus_send(pump_->bus(), message->get(), nullptr));
  pump_->update();
}

// --- Who comes and goes ---

void BusService::watch(const Peer& peer) {
  if (watched_.insert(peer.bus_name).second) match_owner_changes(peer.bus_name);
}

void BusService::match_owner_changes(const std::string& name) {
  Result<MessageWriter> call = call_of_daemon("AddMatch");
  if (!call) return;
  call->string(
      "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
      "member='NameOwnerChanged',arg0='" +
      name + "'");
  reply(std::move(*call).finish());
}

void BusService::watch_name(const std::string& name) {
  const auto [entry, is_new] = names_.emplace(name, nullptr);
  if (!is_new) return;
  // First the changes, then the answer: nothing falls between them.
  match_owner_changes(name);
  Result<MessageWriter> call = call_of_daemon("NameHasOwner");
  if (!call) return log_("bus: " + call.error().message);
  call->string(name);
  Result<Message> message = std::move(*call).finish();
  if (!message) return log_("bus: " + message.error().message);
  auto query = std::make_unique<NameQuery>(this, name);
  const int result = sd_bus_api().sd_bus_call_async(pump_->bus(), &query->slot, message->get(),
                                                    &NameQuery::on_answer, query.get(), 0);
  if (result < 0) return log_("bus: cannot ask who has the name " + name);
  entry->second = std::move(query);
  pump_->update();
}

void BusService::learn_owner(const std::string& name, const Message& answer) {
  if (const Status status = answer.error(); !status) {
    return log_("bus: the bus does not tell who has the name " + name + ": " +
                status.error().message);
  }
  if (on_owner_) on_owner_(name, MessageReader(answer).boolean().value_or(false));
}

int BusService::on_filtered(sd_bus_message* raw) {
  const Message message = Message::share(raw);
  if (message.member() != "NameOwnerChanged" || message.sender() != "org.freedesktop.DBus") {
    return 0;
  }
  MessageReader reader(message);
  const std::string name = reader.string().value_or("");
  static_cast<void>(reader.string());
  if (name.empty()) return 0;
  const bool is_owned = !reader.string().value_or("").empty();
  if (!is_owned) forget(name);
  if (on_owner_ && names_.count(name) != 0) on_owner_(name, is_owned);
  return 0;
}

void BusService::forget(const std::string& sender) {
  watched_.erase(sender);
  subscribers_.erase(sender);
  const auto found = peers_.find(sender);
  if (found == peers_.end()) return;
  const Peer peer = found->second;
  peers_.erase(found);
  handler_.on_disconnected(peer);
}

void BusService::on_closed() {
  while (!peers_.empty()) forget(std::string(peers_.begin()->first));
  auto closed = std::move(on_closed_);
  if (closed) closed();
}

// --- Signals ---

bool BusService::subscribe(const Peer& peer) {
  watch(peer);
  return subscribers_.insert(peer.bus_name).second;
}

bool BusService::unsubscribe(const Peer& peer) { return subscribers_.erase(peer.bus_name) != 0; }

void BusService::emit(std::string_view path, std::string_view interface, std::string_view member,
                      const std::function<void(MessageWriter&)>& fill) {
  if (subscribers_.empty()) return;
  sd_bus_message* raw = nullptr;
  const int result = sd_bus_api().sd_bus_message_new_signal(
      pump_->bus(), &raw, std::string(path).c_str(), std::string(interface).c_str(),
      std::string(member).c_str());
  if (result < 0) return log_("bus: cannot compose the signal " + std::string(member));
  MessageWriter writer(Message::adopt(raw));
  if (fill) fill(writer);
  reply(std::move(writer).finish());
}

}  // namespace flotilla::bus
