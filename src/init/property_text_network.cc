#include "init/property_text_network.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <array>

namespace flotilla::init {

using bus::Value;

std::optional<WrittenLines> write_ip_prefixes(const Value& value) {
  WrittenLines lines{""};
  for (const Value& prefix : members_of(value)) {
    const auto& members = members_of(prefix);
    std::array<uint8_t, 16> address{};
    size_t size = 0;
    for (const Value& byte : members_of(members[1])) {
      if (size == address.size()) return std::nullopt;
      address[size++] = static_cast<uint8_t>(byte.as_unsigned(0));
    }
    const auto family = static_cast<int>(members[0].as_signed(0));
    const uint64_t length = number_at(prefix, 2);
    const bool is_sane = (family == AF_INET && size == 4) || (family == AF_INET6 && size == 16);
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (!is_sane || length > size * 8 ||
        inet_ntop(family, address.data(), text.data(), text.size()) == nullptr) {
      return std::nullopt;
    }
    lines.push_back(fmt::format("{}/{}", text.data(), length));
  }
  return lines;
}

std::optional<WrittenLines> write_bind_rules(const Value& value) {
  WrittenLines lines;
  for (const Value& rule : members_of(value)) {
    const auto& members = members_of(rule);
    const int64_t family = members[0].as_signed(0), protocol = members[1].as_signed(0);
    const uint64_t count = number_at(rule, 2), first = number_at(rule, 3);
    std::string line = family == AF_INET ? "ipv4:" : family == AF_INET6 ? "ipv6:" : "";
    line += protocol == IPPROTO_TCP ? "tcp:" : protocol == IPPROTO_UDP ? "udp:" : "";
    if (count == 0) {
      line += "any";
    } else if (count == 1) {
      line += std::to_string(first);
    } else {
      line += fmt::format("{}-{}", first, first + count - 1);
    }
    lines.push_back(std::move(line));
  }
  return or_reset(std::move(lines));
}

}  // namespace flotilla::init
