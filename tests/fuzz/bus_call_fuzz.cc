// libraries: flotilla_init GTest::gtest
// D-Bus calls on the manager's own socket: half of them well-typed calls of methods that there are,
// with values from the input, the others with bodies of any bytes behind a header that names them.
// After each the manager answers the next call, on this connection or, where it broke this one off,
// on another.
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "init/bus_test_world.h"

using namespace flotilla;
using namespace flotilla::init;

namespace {

// What the input is spent on, from its front; zeros once it is empty.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint8_t byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | byte();
    return value;
  }
  std::string_view take(size_t size) {
    size = std::min(size, size_);
    const std::string_view taken(reinterpret_cast<const char*>(data_), size);
    data_ += size;
    size_ -= size;
    return taken;
  }
  bool is_empty() const { return size_ == 0; }

 private:
  const uint8_t* data_;
  size_t size_;
};

// The wire format of the D-Bus specification, little-endian.
class Wire {
 public:
  void align(size_t to) {
    while (bytes_.size() % to != 0) bytes_ += '\0';
  }
  void number(uint64_t value, size_t size) {
    align(size);
    for (size_t i = 0; i < size; ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }
  void string(std::string_view text) {
    number(text.size(), 4);
    bytes_.append(text) += '\0';
  }
  void signature(std::string_view text) {
    bytes_ += static_cast<char>(text.size());
    bytes_.append(text) += '\0';
  }
  void raw(std::string_view text) { bytes_.append(text); }
  void patch(size_t at, size_t value) {
    for (size_t i = 0; i < 4; ++i) bytes_[at + i] = static_cast<char>(value >> (8 * i));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

struct Target {
  std::string interface;
  std::string method;
  std::string signature;
};

const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> found = {
        {"org.freedesktop.DBus.Properties", "Get", "ss"},
        {"org.freedesktop.DBus.Properties", "Set", "ssv"},
        {"org.freedesktop.DBus.Properties", "GetAll", "s"},
        {"org.freedesktop.DBus.Introspectable", "Introspect", ""},
    };
    std::vector<const BusInterface*> interfaces = bus_daemon_interfaces();
    for (const BusInterface* interface :
         {&bus_manager_interface(), &bus_unit_interface(), &bus_job_interface(),
          &bus_log_control_interface(), &bus_type_interface(unit::UnitType::kService),
          &bus_type_interface(unit::UnitType::kScope)}) {
      interfaces.push_back(interface);
    }
    for (const BusInterface* interface : interfaces) {
      for (const BusMethod& method : interface->methods) {
        found.push_back({std::string(interface->name), std::string(method.name), method.in});
      }
    }
    return found;
  }();
  return all;
}

// Words that lead further in than chance would.
const std::vector<std::string>& words() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> found = {"",
                                      "a.service",
                                      "b.service",
                                      "run-1.service",
                                      "x.scope",
                                      "t@.service",
                                      "t@1.service",
                                      "a.slice",
                                      "none.service",
                                      "multi-user.target",
                                      "replace",
                                      "fail",
                                      "isolate",
                                      "ignore-dependencies",
                                      "all",
                                      "main",
                                      "/bin/true",
                                      "/etc/systemd/system/b.service",
                                      "org.freedesktop.systemd1.Manager",
                                      "org.freedesktop.systemd1.Unit",
                                      "org.freedesktop.systemd1.Service",
                                      "A=b",
                                      "yes",
                                      "auto",
                                      "%n",
                                      "type='signal'"};
    for (const BusInterface* interface :
         {&bus_unit_interface(), &bus_type_interface(unit::UnitType::kService)}) {
      for (const BusProperty& property : interface->properties) {
        found.emplace_back(property.name);
      }
    }
    return found;
  }();
  return all;
}

std::string text_from(Input& input) {
  const uint8_t choice = input.byte();
  if (choice < 128) return words()[input.number(2) % words().size()];
  std::string text(input.take(choice % 64));
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

std::string path_from(Input& input) {
  static constexpr const char* kPaths[] = {"/org/freedesktop/systemd1",
                                           "/org/freedesktop/systemd1/unit/a_2eservice",
                                           "/org/freedesktop/systemd1/unit/b_2eservice",
                                           "/org/freedesktop/systemd1/unit/x_2escope",
                                           "/org/freedesktop/systemd1/unit/none_2eservice",
                                           "/org/freedesktop/systemd1/job/1",
                                           "/org/freedesktop/systemd1/job/9999",
                                           "/org/freedesktop/LogControl1",
                                           "/org/freedesktop/DBus",
                                           "/"};
  const size_t choice = input.byte() % (std::size(kPaths) + 1);
  if (choice < std::size(kPaths)) return kPaths[choice];
  std::string path = "/org/freedesktop/systemd1/unit/";
  for (const char c : input.take(input.byte() % 32)) {
    path += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  }
  return path;
}

size_t type_end(std::string_view signature, size_t at) {
  while (at < signature.size() && signature[at] == 'a') ++at;
  if (at >= signature.size()) return at;
  if (signature[at] != '(' && signature[at] != '{') return at + 1;
  int depth = 0;
  do {
    depth += signature[at] == '(' || signature[at] == '{' ? 1 : 0;
    depth -= signature[at] == ')' || signature[at] == '}' ? 1 : 0;
    ++at;
  } while (depth > 0 && at < signature.size());
  return at;
}

void write_values(Wire& wire, std::string_view signature, Input& input, int depth);

void write_array(Wire& wire, std::string_view element, Input& input, int depth) {
  wire.number(0, 4);
  const size_t length_at = wire.bytes().size() - 4;
  const char first = element.front();
  wire.align(first == '(' || first == '{' || first == 't' || first == 'x' || first == 'd' ? 8
             : first == 'y' || first == 'g' || first == 'v'                               ? 1
                                                                                          : 4);
  const size_t begin = wire.bytes().size();
  const size_t count = input.is_empty() ? 0 : input.byte() % 4;
  for (size_t i = 0; i < count; ++i) write_values(wire, element, input, depth);
  wire.patch(length_at, wire.bytes().size() - begin);
}

void write_variant(Wire& wire, Input& input, int depth) {
  static constexpr const char* kSignatures[] = {"s",  "b",     "t",  "u",        "i",    "as", "ay",
                                                "x",  "o",     "v",  "a(sasb)",  "au",   "q",  "d",
                                                "at", "a(sb)", "ai", "a(sasas)", "a(sv)"};
  const char* const signature =
      depth > 6 ? "u" : kSignatures[input.byte() % std::size(kSignatures)];
  wire.signature(signature);
  write_values(wire, signature, input, depth + 1);
}

void write_values(Wire& wire, std::string_view signature, Input& input, int depth) {
  for (size_t at = 0; at < signature.size();) {
    const size_t end = type_end(signature, at);
    const std::string_view type = signature.substr(at, end - at);
    at = end;
    switch (type.front()) {
      case 'y':
        wire.number(input.byte(), 1);
        break;
      case 'b':
        wire.number(input.byte() & 1, 4);
        break;
      case 'n':
      case 'q':
        wire.number(input.number(2), 2);
        break;
      case 'i':
      case 'u':
        wire.number(input.byte() & 1 ? input.byte() : input.number(4), 4);
        break;
      case 'h':
        wire.number(0, 4);
        break;
      case 'x':
      case 't':
      case 'd':
        wire.number(input.byte() & 1 ? input.byte() : input.number(8), 8);
        break;
      case 's':
        wire.string(text_from(input));
        break;
      case 'o':
        wire.string(path_from(input));
        break;
      case 'g':
        wire.signature("s");
        break;
      case 'v':
        write_variant(wire, input, depth);
        break;
      case 'a':
        write_array(wire, type.substr(1), input, depth);
        break;
      default:
        wire.align(8);
        write_values(wire, type.substr(1, type.size() - 2), input, depth);
    }
  }
}

void write_field(Wire& wire, uint8_t code, char type, std::string_view text) {
  wire.align(8);
  wire.number(code, 1);
  wire.signature(std::string_view(&type, 1));
  if (type == 'g') {
    wire.signature(text);
  } else {
    wire.string(text);
  }
}

std::string message(uint32_t serial, std::string_view path, const Target& target,
                    std::string_view body) {
  Wire wire;
  wire.raw(std::string_view("l\1\0\1", 4));  // little-endian, a method call, no flags, version 1
  wire.number(body.size(), 4);
  wire.number(serial, 4);
  wire.number(0, 4);
  write_field(wire, 1, 'o', path);
  write_field(wire, 2, 's', target.interface);
  write_field(wire, 3, 's', target.method);
  write_field(wire, 6, 's', "org.freedesktop.systemd1");
  if (!target.signature.empty()) write_field(wire, 8, 'g', target.signature);
  wire.patch(12, wire.bytes().size() - 16);
  wire.align(8);
  wire.raw(body);
  return wire.bytes();
}

constexpr char kGreeting[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

class FuzzedManager {
 public:
  FuzzedManager() {
    world_.add_service("a.service");
    world_.add_service("b.service");
    world_.add_service("t@.service");
    world_.serve();
    connect();
  }

  void call(Input& input) {
    const uint8_t kind = input.byte();
    const Target& target = targets()[input.number(2) % targets().size()];
    const std::string path = path_from(input);
    std::string body;
    if (kind % 2 == 0) {
      Wire wire;
      write_values(wire, target.signature, input, 0);
      body = wire.bytes();
    } else {
      body = input.take(8192);
    }
    send(message(++serial_, path, target, body));
    if (ping()) return;
    connect();
    if (!ping()) fail("a new connection is not answered");
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }

  void connect() {
    client_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    world_.socket_path().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(client_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail("the manager's socket refuses connections");
    }
    received_.clear();
    send(std::string(kGreeting, sizeof kGreeting - 1));
    if (!world_.run_until([&] { return receive("OK ") || is_over_; })) fail("no greeting");
  }

  void send(const std::string& bytes) {
    size_t at = 0;
    is_over_ = false;
    world_.run_until([&] {
      const ssize_t sent =
          ::send(client_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent > 0) at += static_cast<size_t>(sent);
      if (sent < 0 && errno != EAGAIN) is_over_ = true;
      return is_over_ || at == bytes.size();
    });
  }

  // Whether what has come by now has the text in it.
  bool receive(std::string_view text) {
    char buffer[65536];
    ssize_t size = 0;
    while ((size = ::recv(client_.get(), buffer, sizeof buffer, 0)) > 0) {
      received_.append(buffer, static_cast<size_t>(size));
    }
    if (size == 0 || (size < 0 && errno != EAGAIN)) is_over_ = true;
    if (received_.find(text) != std::string::npos) return true;
    // The text may still come in two parts.
    if (received_.size() > text.size()) received_.erase(0, received_.size() - text.size());
    return false;
  }

  // Its answer names a method that there is not, and no other answer names this one.
  bool ping() {
    if (is_over_) return false;
    const std::string name = "Ping" + std::to_string(++serial_);
    received_.clear();
    send(message(serial_, "/org/freedesktop/systemd1",
                 {"org.freedesktop.systemd1.Manager", name, ""}, ""));
    if (!world_.run_until([&] { return receive(name) || is_over_; })) fail("no answer");
    return !is_over_;
  }

  BusTestWorld world_;
  base::Fd client_;
  std::string received_;
  uint32_t serial_ = 0;
  bool is_over_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static std::unique_ptr<FuzzedManager> manager;
  static unsigned calls = 0;
  // A new one now and then, so that what is found can be found again.
  if (!manager || ++calls % 500 == 0) {
    manager.reset();
    manager = std::make_unique<FuzzedManager>();
  }
  Input input(data, size);
  do {
    manager->call(input);
  } while (!input.is_empty());
  return 0;
}
