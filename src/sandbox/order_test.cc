#include "sandbox/order.h"

#include <gtest/gtest.h>

namespace flotilla::sandbox {
namespace {

Order full_order() {
  Order order;
  order.unit = "a.service";
  order.program = "/bin/a";
  order.arguments = {"a", "", "b c"};
  order.environment = {"A=1"};
  order.uid = 5;
  order.groups = {1, 2, 3};
  order.limits = {{7, 10, 20}};
  order.settings.protect_home = ProtectHome::kTmpfs;
  order.settings.mount_api_vfs = false;
  order.settings.allowed_namespaces = 0x20000000;
  order.settings.bind_mounts = {{"/a", "/b", true, false, true}};
  order.settings.set_credentials = {{"id", std::string("a\0b", 3)}};
  order.settings.syscall_filter = {"@clock"};
  order.mounts.root_directory = "/srv";
  order.network_store = 9;
  order.utmp_files = {"/run/utmp", "/var/log/wtmp"};
  order.utmp = {"t1", "tty1", "me", UtmpKind::kUser};
  return order;
}

TEST(Order, ComesBackAsItWas) {
  const std::string bytes = encode_order(full_order());
  const auto order = decode_order(bytes);
  ASSERT_TRUE(order) << order.error().message;
  EXPECT_EQ(encode_order(*order), bytes);
  EXPECT_EQ(order->arguments, full_order().arguments);
  EXPECT_EQ(order->settings.bind_mounts, full_order().settings.bind_mounts);
  EXPECT_EQ(order->settings.set_credentials, full_order().settings.set_credentials);
  EXPECT_EQ(order->settings.mount_api_vfs, false);
  EXPECT_EQ(order->limits[0].hard, 20u);
  EXPECT_EQ(order->utmp.line, "tty1");
  EXPECT_EQ(order->utmp.kind, UtmpKind::kUser);
}

TEST(Order, IsRefusedWhenItIsCutOrHasMoreBehindIt) {
  const std::string bytes = encode_order(full_order());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_order(bytes.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_order(bytes + "x"));
  EXPECT_FALSE(decode_order("nonsense"));
}

TEST(Order, NeverAsksForMoreRoomThanThereAreBytes) {
  std::string bytes = encode_order(full_order());
  for (size_t at = 22; at + 4 <= bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged.replace(at, 4, "\xff\xff\xff\x7f", 4);
    static_cast<void>(decode_order(damaged));
  }
}

TEST(Report, StandsBehindOthersInOneStream) {
  Report warning, failure;
  warning.kind = Report::Kind::kWarning;
  warning.message = "careful";
  failure.exit_code = 226;
  failure.error = 2;
  failure.message = std::string(2 * kMaxReport, 'x');
  const std::string bytes = encode_report(warning) + encode_report(failure);
  std::string_view rest = bytes;
  EXPECT_EQ(take_report(rest)->message, "careful");
  std::string_view half = rest.substr(0, rest.size() - 1);
  EXPECT_FALSE(take_report(half));
  const auto second = take_report(rest);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->exit_code, 226);
  EXPECT_LT(encode_report(failure).size(), kMaxReport);
  EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace flotilla::sandbox
