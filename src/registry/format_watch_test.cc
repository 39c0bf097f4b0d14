#include "registry/format_watch.h"

#include <gtest/gtest.h>

#include "base/fake_event_loop.h"
#include "registry/raw_record.h"
#include "store/memory_store.h"

namespace flotilla::registry {
namespace {

constexpr const char* kNewer = R"({"major":2,"minor":0})";
constexpr const char* kOwn = R"({"major":1,"minor":7})";

struct FormatWatchTest : testing::Test {
  FormatWatchTest() {
    registry.open([](const base::Status& status) { EXPECT_TRUE(status); });
    loop.settle();
    watch.start([this] { ++changes; });
    loop.settle();
  }
  void format(std::optional<std::string> text) {
    write_raw_record(*inner, keys.format(), std::move(text));
    loop.settle();
  }
  bool passes(store::TxnRequest txn) {
    bool is_done = false;
    gate.txn(std::move(txn), [&](const auto& result) { is_done = result.has_value(); });
    loop.settle();
    return is_done;
  }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> inner = store::make_memory_store(loop);
  store::GatedStore gate{*inner, loop};
  Registry registry{gate, "/flotilla"};
  const Keys keys{"/flotilla"};
  FormatWatch watch{*inner, loop, gate, registry};
  int changes = 0;
};

TEST_F(FormatWatchTest, ANewerMajorVersionShutsTheGateUntilItIsGone) {
  EXPECT_FALSE(gate.is_shut());
  format(kOwn);
  EXPECT_EQ(changes, 0) << "a newer minor version is none of its business";
  format(kNewer);
  EXPECT_EQ(gate.why(),
            "the store was written by a newer version (format 2.0); this version knows 1.0");
  EXPECT_EQ(changes, 1);
  format(kOwn);
  EXPECT_FALSE(gate.is_shut());
  EXPECT_EQ(changes, 2);
}

TEST_F(FormatWatchTest, ARecordThatCannotBeReadChangesNothing) {
  format("rubbish");
  EXPECT_FALSE(gate.is_shut());
  format(kNewer);
  format("rubbish");
  EXPECT_TRUE(gate.is_shut());
}

TEST_F(FormatWatchTest, WhereTheRecordIsDeletedItIsWrittenAnew) {
  format(std::nullopt);
  bool is_there = false;
  inner->range({.key = keys.format()}, [&](const auto& found) { is_there = !found->kvs.empty(); });
  loop.settle();
  EXPECT_TRUE(is_there);
}

TEST_F(FormatWatchTest, TheLeadCanBeGivenUpWhileTheGateIsShut) {
  format(kNewer);
  store::TxnRequest lead;
  lead.compares.push_back(store::key_is_absent(keys.leader()));
  lead.then_ops.emplace_back(store::DeleteRangeOp{keys.leader(), {}});
  lead.else_ops.emplace_back(store::RangeRequest{.key = keys.leader()});
  EXPECT_TRUE(passes(lead));
  lead.then_ops.emplace_back(store::DeleteRangeOp{keys.unit("a.service"), {}});
  EXPECT_FALSE(passes(lead));
  store::TxnRequest put;
  put.then_ops.emplace_back(store::PutOp{keys.leader(), "x"});
  EXPECT_FALSE(passes(put));
}

}  // namespace
}  // namespace flotilla::registry
