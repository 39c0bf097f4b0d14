#include "bus/message.h"

#include <cerrno>
#include <optional>
#include <utility>

#include "bus/sd_bus_api.h"

namespace flotilla::bus {

using base::Result;
using base::Status;

namespace {

constexpr int kMaxDepth = 32;

std::string_view view_or_empty(const char* text) {
  return text != nullptr ? std::string_view(text) : std::string_view();
}

base::Errc code_of_bus_error(std::string_view name) {
  using base::Errc;
  constexpr std::string_view kSystemd = "org.freedesktop.systemd1.";
  constexpr std::string_view kBus = "org.freedesktop.DBus.Error.";
  static constexpr std::pair<std::string_view, Errc> kSystemdNames[] = {
      {"NoSuchUnit", Errc::kNotFound},
      {"NoUnitForPID", Errc::kNotFound},
      {"NoUnitForInvocationID", Errc::kNotFound},
      {"NoSuchJob", Errc::kNotFound},
      {"NoSuchProcess", Errc::kNotFound},
      {"UnitExists", Errc::kAlreadyExists},
      {"LoadFailed", Errc::kInvalid},
      {"BadUnitSetting", Errc::kInvalid},
      {"UnitMasked", Errc::kConflict},
      {"UnitLinked", Errc::kConflict},
      {"JobTypeNotApplicable", Errc::kUnsupported},
      {"NoIsolation", Errc::kUnsupported},
      {"ShuttingDown", Errc::kConflict},
      {"TransactionJobsConflicting", Errc::kConflict},
      {"TransactionOrderIsCyclic", Errc::kConflict},
      {"TransactionIsDestructive", Errc::kConflict},
      {"OnlyByDependency", Errc::kConflict},
  };
  static constexpr std::pair<std::string_view, Errc> kBusNames[] = {
      {"AccessDenied", Errc::kDenied},
      {"InteractiveAuthorizationRequired", Errc::kDenied},
      {"InvalidArgs", Errc::kInvalid},
      {"InvalidSignature", Errc::kInvalid},
      {"PropertyReadOnly", Errc::kDenied},
      {"UnknownMethod", Errc::kUnsupported},
      {"UnknownInterface", Errc::kUnsupported},
      {"UnknownProperty", Errc::kNotFound},
      {"UnknownObject", Errc::kNotFound},
      {"FileNotFound", Errc::kNotFound},
      {"FileExists", Errc::kAlreadyExists},
      {"NotSupported", Errc::kUnsupported},
      {"LimitsExceeded", Errc::kTooLarge},
      {"NoReply", Errc::kTimedOut},
      {"Timeout", Errc::kTimedOut},
      {"TimedOut", Errc::kTimedOut},
      {"Disconnected", Errc::kUnavailable},
      {"NoServer", Errc::kUnavailable},
      {"ServiceUnknown", Errc::kUnavailable},
      {"NameHasNoOwner", Errc::kUnavailable},
  };
  const auto find_in = [name](std::string_view prefix, auto& table) -> std::optional<Errc> {
    if (name.substr(0, prefix.size()) != prefix) return {};
    for (const auto& [known, code] : table) {
      if (name.substr(prefix.size()) == known) return code;
    }
    return {};
  };
  if (const auto code = find_in(kSystemd, kSystemdNames)) return *code;
  if (const auto code = find_in(kBus, kBusNames)) return *code;
  if (name == "System.Error.ECONNRESET" || name == "System.Error.ENOTCONN") {
    return Errc::kUnavailable;
  }
  return Errc::kInternal;
}

}  // namespace

// --- Message ---

Message Message::share(sd_bus_message* message) {
  return adopt(message != nullptr ? sd_bus_api().sd_bus_message_ref(message) : nullptr);
}

Message Message::adopt(sd_bus_message* message) noexcept {
  Message result;
  result.message_ = message;
  return result;
}

Message::~Message() {
  if (message_ != nullptr) sd_bus_api().sd_bus_message_unref(message_);
}

std::string_view Message::path() const {
  return view_or_empty(sd_bus_api().sd_bus_message_get_path(message_));
}
std::string_view Message::interface() const {
  return view_or_empty(sd_bus_api().sd_bus_message_get_interface(message_));
}
std::string_view Message::member() const {
  return view_or_empty(sd_bus_api().sd_bus_message_get_member(message_));
}
std::string_view Message::sender() const {
  return view_or_empty(sd_bus_api().sd_bus_message_get_sender(message_));
}
std::string_view Message::destination() const {
  return view_or_empty(sd_bus_api().sd_bus_message_get_destination(message_));
}
std::string_view Message::signature() const {
  return view_or_empty(sd_bus_api().sd_bus_message_get_signature(message_, 1));
}
bool Message::expects_reply() const {
  return sd_bus_api().sd_bus_message_get_expect_reply(message_) > 0;
}

Status Message::error() const {
  const sd_bus_error* error = sd_bus_api().sd_bus_message_get_error(message_);
  if (error == nullptr || error->name == nullptr) return {};
  return base::unexpected(error_from_bus(error->name, view_or_empty(error->message)));
}

base::Error error_from_bus(std::string_view name, std::string_view text) {
  base::Error error;
  error.code = code_of_bus_error(name);
  error.message = std::string(text.empty() ? name : text);
  error.bus_name = std::string(name);
  return error;
}

// --- MessageReader ---

namespace {

base::Unexpected wrong_type(char expected) {
  return base::invalid("the message's body is not of the expected type \"{}\"", expected);
}

}  // namespace

template <typename T>
Result<T> MessageReader::basic(char type) {
  T value{};
  if (sd_bus_api().sd_bus_message_read_basic(message_, type, &value) <= 0) return wrong_type(type);
  return value;
}

Result<std::string> MessageReader::text(char type) {
  const char* value = nullptr;
  if (sd_bus_api().sd_bus_message_read_basic(message_, type, &value) <= 0) return wrong_type(type);
  return std::string(value);
}

Result<bool> MessageReader::boolean() {
  FLOTILLA_ASSIGN(int value, basic<int>('b'));
  return value != 0;
}
Result<uint8_t> MessageReader::u8() { return basic<uint8_t>('y'); }
Result<int32_t> MessageReader::i32() { return basic<int32_t>('i'); }
Result<uint32_t> MessageReader::u32() { return basic<uint32_t>('u'); }
Result<uint64_t> MessageReader::u64() { return basic<uint64_t>('t'); }

Result<std::vector<std::string>> MessageReader::strings() {
  FLOTILLA_ASSIGN(bool entered, enter('a', "s"));
  if (!entered) return wrong_type('a');
  std::vector<std::string> list;
  while (!at_end()) {
    FLOTILLA_ASSIGN(std::string item, string());
    list.push_back(std::move(item));
  }
  FLOTILLA_TRY(leave());
  return list;
}

Result<std::vector<uint32_t>> MessageReader::u32s() {
  const void* data = nullptr;
  size_t size = 0;
  if (sd_bus_api().sd_bus_message_read_array(message_, 'u', &data, &size) <= 0) {
    return wrong_type('a');
  }
  const auto* begin = static_cast<const uint32_t*>(data);
  return size == 0 ? std::vector<uint32_t>()
                   : std::vector<uint32_t>(begin, begin + size / sizeof(uint32_t));
}
Result<std::vector<uint8_t>> MessageReader::bytes() {
  const void* data = nullptr;
  size_t size = 0;
  if (sd_bus_api().sd_bus_message_read_array(message_, 'y', &data, &size) <= 0) {
    return wrong_type('a');
  }
  const auto* begin = static_cast<const uint8_t*>(data);
  return size == 0 ? std::vector<uint8_t>() : std::vector<uint8_t>(begin, begin + size);
}

Result<bool> MessageReader::enter(char type, const char* contents) {
  int result = sd_bus_api().sd_bus_message_enter_container(message_, type, contents);
  if (result < 0) return wrong_type(type);
  return result > 0;
}

Status MessageReader::leave() {
  int result = sd_bus_api().sd_bus_message_exit_container(message_);
  if (result < 0) return base::invalid("the message's body has more members than expected");
  return {};
}

Status MessageReader::skip(const char* types) {
  if (sd_bus_api().sd_bus_message_skip(message_, types) < 0) return wrong_type(types[0]);
  return {};
}

bool MessageReader::at_end() {
  // An error counts as the end: the reads that follow report it.
  return sd_bus_api().sd_bus_message_at_end(message_, 0) != 0;
}

Result<Value> MessageReader::value() { return value_at(0); }

Result<Value> MessageReader::value_at(int depth) {
  if (depth >= kMaxDepth) return base::too_large("the message's body nests too deep");
  char type = 0;
  const char* contents = nullptr;
  if (sd_bus_api().sd_bus_message_peek_type(message_, &type, &contents) <= 0) {
    return base::invalid("the message's body ends too early");
  }
  Value value;
  value.signature = std::string(1, type);
  auto take = [&](auto result) -> Status {
    if (!result) return base::unexpected(std::move(result).error());
    using T = std::decay_t<decltype(*result)>;
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, double>) {
      value.data = *result;
    } else if constexpr (std::is_same_v<T, std::string>) {
      value.data = std::move(*result);
    } else if constexpr (std::is_signed_v<T>) {
      value.data = int64_t{*result};
    } else {
      value.data = uint64_t{*result};
    }
    return {};
  };
  Status status;
  switch (type) {
    case 'b':
      status = take(boolean());
      break;
    case 'y':
      status = take(u8());
      break;
    case 'n':
      status = take(basic<int16_t>('n'));
      break;
    case 'q':
      status = take(basic<uint16_t>('q'));
      break;
    case 'i':
    case 'h':
      status = take(basic<int32_t>(type));
      break;
    case 'u':
      status = take(u32());
      break;
    case 'x':
      status = take(basic<int64_t>('x'));
      break;
    case 't':
      status = take(u64());
      break;
    case 'd':
      status = take(basic<double>('d'));
      break;
    case 's':
    case 'o':
    case 'g':
      status = take(text(type));
      break;
    default:
      return container_value(type, contents, depth);
  }
  FLOTILLA_TRY(std::move(status));
  return value;
}

Result<Value> MessageReader::container_value(char type, const char* contents, int depth) {
  const std::string inside = contents != nullptr ? contents : "";
  FLOTILLA_ASSIGN(bool entered, enter(type, inside.c_str()));
  if (!entered) return wrong_type(type);
  if (type == 'v') {
    FLOTILLA_ASSIGN(Value value, value_at(depth + 1));
    FLOTILLA_TRY(leave());
    return value;
  }
  Value value;
  value.signature = type == 'a'   ? "a" + inside
                    : type == 'r' ? "(" + inside + ")"
                                  : "{" + inside + "}";
  std::vector<Value> members;
  while (!at_end()) {
    FLOTILLA_ASSIGN(Value member, value_at(depth + 1));
    members.push_back(std::move(member));
  }
  FLOTILLA_TRY(leave());
  value.data = std::move(members);
  return value;
}

Result<Properties> MessageReader::properties() {
  FLOTILLA_ASSIGN(bool entered, enter('a', "{sv}"));
  if (!entered) return wrong_type('a');
  Properties properties;
  while (!at_end()) {
    FLOTILLA_ASSIGN(bool in_entry, enter('e', "sv"));
    if (!in_entry) break;
    FLOTILLA_ASSIGN(std::string name, string());
    FLOTILLA_ASSIGN(Value member, value());
    FLOTILLA_TRY(leave());
    properties.insert_or_assign(std::move(name), std::move(member));
  }
  FLOTILLA_TRY(leave());
  return properties;
}

// --- MessageWriter ---

void MessageWriter::note(int result) {
  if (result < 0 && error_ == 0) error_ = -result;
}

MessageWriter& MessageWriter::append(char type, const void* value) {
  if (error_ == 0) note(sd_bus_api().sd_bus_message_append_basic(message_.get(), type, value));
  return *this;
}

MessageWriter& MessageWriter::string(std::string_view text) {
  // The bus has no way to carry a NUL inside a string; what stands before it is kept.
  return append('s', std::string(text.substr(0, text.find('\0'))).c_str());
}
MessageWriter& MessageWriter::object_path(std::string_view path) {
  return append('o', std::string(path).c_str());
}
MessageWriter& MessageWriter::boolean(bool value) {
  int number = value ? 1 : 0;
  return append('b', &number);
}
MessageWriter& MessageWriter::u8(uint8_t value) { return append('y', &value); }
MessageWriter& MessageWriter::fd(int value) { return append('h', &value); }
MessageWriter& MessageWriter::u16(uint16_t value) { return append('q', &value); }
MessageWriter& MessageWriter::i32(int32_t value) { return append('i', &value); }
MessageWriter& MessageWriter::u32(uint32_t value) { return append('u', &value); }
MessageWriter& MessageWriter::i64(int64_t value) { return append('x', &value); }
MessageWriter& MessageWriter::u64(uint64_t value) { return append('t', &value); }
MessageWriter& MessageWriter::f64(double value) { return append('d', &value); }

MessageWriter& MessageWriter::strings(const std::vector<std::string>& list) {
  open_array("s");
  for (const std::string& item : list) string(item);
  return close();
}

MessageWriter& MessageWriter::bytes(const uint8_t* data, size_t size) {
  if (error_ == 0) {
    note(sd_bus_api().sd_bus_message_append_array(message_.get(), 'y', data, size));
  }
  return *this;
}

MessageWriter& MessageWriter::open(char type, const char* contents) {
  if (error_ == 0) {
    note(sd_bus_api().sd_bus_message_open_container(message_.get(), type, contents));
  }
  return *this;
}

MessageWriter& MessageWriter::close() {
  if (error_ == 0) note(sd_bus_api().sd_bus_message_close_container(message_.get()));
  return *this;
}

Result<Message> MessageWriter::finish() && {
  if (error_ != 0) return base::system_error(error_, "compose a D-Bus message");
  return std::move(message_);
}

}  // namespace flotilla::bus
