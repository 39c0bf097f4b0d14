// D-Bus messages by RAII over sd-bus: Message owns one; MessageReader takes arguments out with the
// type checked at every step; MessageWriter puts them in and remembers the first error, so that a
// long list of fields is written without a check on each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bus/value.h"

struct sd_bus_message;

namespace flotilla::bus {

// One reference to a message. Copies share it.
class Message {
 public:
  Message() noexcept = default;
  // Takes a reference of its own / takes over the caller's.
  static Message share(sd_bus_message* message);
  static Message adopt(sd_bus_message* message) noexcept;
  Message(Message&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  Message& operator=(Message&& other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  Message(const Message& other) : Message(share(other.message_)) {}
  Message& operator=(const Message&) = delete;
  ~Message();

  explicit operator bool() const noexcept { return message_ != nullptr; }
  sd_bus_message* get() const noexcept { return message_; }

  // "" where the message has none. Requires: the message is set.
  std::string_view path() const;
  std::string_view interface() const;
  std::string_view member() const;
  std::string_view sender() const;
  std::string_view destination() const;
  std::string_view signature() const;
  bool expects_reply() const;

  // The error of an error reply as an Error with its bus name; nothing for other messages.
  base::Status error() const;

 private:
  sd_bus_message* message_ = nullptr;
};

// The Error for a D-Bus error name and text: the code is the nearest of ours.
base::Error error_from_bus(std::string_view name, std::string_view text);

// Reads the body from where the last reader stood. Borrows the message. Every failure is kInvalid:
// the body is not of the expected type.
class MessageReader {
 public:
  explicit MessageReader(sd_bus_message* message) : message_(message) {}
  explicit MessageReader(const Message& message) : message_(message.get()) {}

  base::Result<std::string> string() { return text('s'); }
  base::Result<std::string> object_path() { return text('o'); }
  base::Result<bool> boolean();
  base::Result<uint8_t> u8();
  base::Result<int32_t> i32();
  base::Result<uint32_t> u32();
  base::Result<uint64_t> u64();
  base::Result<std::vector<std::string>> strings();  // "as"
  base::Result<std::vector<uint8_t>> bytes();        // "ay"
  base::Result<std::vector<uint32_t>> u32s();        // "au"
  // The next value whatever its type; variants are unwrapped. At most 32 levels deep.
  base::Result<Value> value();
  base::Result<Properties> properties();  // "a{sv}"

  // Containers: 'a' array, 'r' struct, 'e' dict entry, 'v' variant, with the type inside. enter()
  // gives false at the end of the array around it.
  base::Result<bool> enter(char type, const char* contents);
  base::Status leave();
  base::Status skip(const char* types);
  bool at_end();

 private:
  base::Result<std::string> text(char type);
  template <typename T>
  base::Result<T> basic(char type);
  base::Result<Value> value_at(int depth);
  base::Result<Value> container_value(char type, const char* contents, int depth);

  sd_bus_message* message_;
};

// Appends to a body. Keeps its message alive. After the first failure nothing more is written and
// finish() says what it was.
class MessageWriter {
 public:
  explicit MessageWriter(Message message) : message_(std::move(message)) {}

  MessageWriter& string(std::string_view text);
  // An invalid path is a failure.
  MessageWriter& object_path(std::string_view path);
  MessageWriter& boolean(bool value);
  MessageWriter& u8(uint8_t value);
  MessageWriter& u16(uint16_t value);
  MessageWriter& i32(int32_t value);
  MessageWriter& u32(uint32_t value);
  MessageWriter& i64(int64_t value);
  MessageWriter& u64(uint64_t value);
  MessageWriter& f64(double value);
  MessageWriter& fd(int value);  // is duplicated
  MessageWriter& strings(const std::vector<std::string>& list);
  MessageWriter& bytes(const uint8_t* data, size_t size);

  MessageWriter& open_array(const char* contents) { return open('a', contents); }
  MessageWriter& open_struct(const char* contents) { return open('r', contents); }
  MessageWriter& open_dict_entry(const char* contents) { return open('e', contents); }
  MessageWriter& open_variant(const char* contents) { return open('v', contents); }
  MessageWriter& close();

  const Message& message() const { return message_; }
  // The message, ready to be sent, or what went wrong.
  base::Result<Message> finish() &&;

 private:
  MessageWriter& open(char type, const char* contents);
  MessageWriter& append(char type, const void* value);
  void note(int result);

  Message message_;
  int error_ = 0;
};

}  // namespace flotilla::bus
