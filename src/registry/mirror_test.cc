#include "registry/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fake_event_loop.h"
#include "registry/raw_record.h"
#include "store/faulty_store.h"
#include "store/memory_store.h"

namespace flotilla::registry {
namespace {

using testing::ElementsAre;
using std::chrono_literals::operator""s;

struct MirrorTest : testing::Test {
  void put(const std::string& key, std::optional<std::string> value) {
    write_raw_record(*inner, key, std::move(value));
    loop.settle();
  }
  MirrorHandler handler() {
    MirrorHandler handler;
    handler.on_put = [this](const store::KeyValue& kv) { told.push_back(kv.key + "=" + kv.value); };
    handler.on_delete = [this](const std::string& key) { told.push_back(key + " is gone"); };
    handler.on_step = [](store::Revision) {};
    return handler;
  }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> inner = store::make_memory_store(loop);
  store::FaultyStore store{*inner, loop};
  std::vector<std::string> told;
};

TEST_F(MirrorTest, AfterALostWatchItTellsOnlyWhatItHasMissed) {
  put("/a", "1");
  const Mirror mirror(store, loop, "/", store::prefix_end("/"), handler());
  loop.settle();
  EXPECT_THAT(told, ElementsAre("/a=1"));
  store.partition();
  put("/b", "1");
  put("/a", std::nullopt);
  store.heal();
  loop.advance(1s);
  EXPECT_THAT(told, ElementsAre("/a=1", "/b=1", "/a is gone"));
}

TEST_F(MirrorTest, WhereTheStoreHasBeenPutBackItTellsAllThatIsThere) {
  put("/a", "1");
  put("/b", "1");
  const Mirror mirror(store, loop, "/", store::prefix_end("/"), handler());
  loop.settle();
  told.clear();
  // What the watch would have told of it is not told.
  store.partition();
  put("/b", std::nullopt);
  store.tell_of_new_history();
  store.heal();
  loop.advance(1s);
  EXPECT_THAT(told, ElementsAre("/b is gone", "/a=1"));
  EXPECT_TRUE(mirror.is_live());
  put("/c", "1");
  EXPECT_EQ(told.back(), "/c=1");
}

}  // namespace
}  // namespace flotilla::registry
