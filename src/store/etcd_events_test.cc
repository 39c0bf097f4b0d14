#include "store/etcd_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <proto/etcd.pb.h>

namespace flotilla::store {
namespace {

using testing::ElementsAre;

pb::WatchResponse message_of(std::initializer_list<Revision> revisions, bool is_fragment = false) {
  pb::WatchResponse message;
  message.set_fragment(is_fragment);
  for (const Revision revision : revisions) {
    pb::Event& event = *message.add_events();
    event.mutable_kv()->set_key("k");
    event.mutable_kv()->set_mod_revision(revision);
  }
  return message;
}

pb::WatchResponse progress_of(Revision revision, int64_t watch_id) {
  pb::WatchResponse message;
  message.set_watch_id(watch_id);
  message.mutable_header()->set_revision(revision);
  return message;
}

// "5: 4 5" for a batch up to revision 5.
std::vector<std::string> batches_of(EtcdEvents& events) {
  std::vector<std::string> texts;
  while (events.has_batch()) {
    const WatchBatch batch = events.take();
    std::string text = fmt::format("{}:", batch.revision);
    for (const Event& event : batch.events) text += fmt::format(" {}", event.kv.mod_revision);
    texts.push_back(text);
  }
  return texts;
}

void add(EtcdEvents& events, pb::WatchResponse message) { events.add(message); }

TEST(EtcdEvents, FragmentsAreOneAnswerAndABrokenOneIsForgotten) {
  EtcdEvents events(4);
  add(events, message_of({4, 5}, true));
  EXPECT_FALSE(events.has_batch());
  EXPECT_EQ(events.next(), 4);
  add(events, message_of({5}, true));
  add(events, message_of({5, 6}));
  EXPECT_EQ(events.next(), 7);
  EXPECT_THAT(batches_of(events), ElementsAre("6: 4 5 5 5 6"));
  add(events, message_of({7, 7}, true));
  events.break_off();
  EXPECT_EQ(events.next(), 7);
  add(events, message_of({7, 7, 7}));
  EXPECT_THAT(batches_of(events), ElementsAre("7: 7 7 7"));
}

TEST(EtcdEvents, WhatIsHereAlreadyIsPassedOver) {
  EtcdEvents events(4);
  add(events, message_of({4, 5}));
  add(events, message_of({4, 5, 6}));
  EXPECT_THAT(batches_of(events), ElementsAre("5: 4 5", "6: 6"));
  add(events, message_of({5, 6}));
  EXPECT_FALSE(events.has_batch());
}

TEST(EtcdEvents, PeriodicProgressMovesThePositionButAnAnswerToAQuestionDoesNot) {
  EtcdEvents events(4);
  add(events, progress_of(9, -1));
  EXPECT_FALSE(events.has_batch());
  EXPECT_EQ(events.next(), 4);
  add(events, progress_of(9, 0));
  EXPECT_EQ(events.next(), 10);
  EXPECT_THAT(batches_of(events), ElementsAre("9:"));
  // Of a member that is behind, or of a watch of the future.
  add(events, progress_of(7, 0));
  EXPECT_EQ(events.next(), 10);
  EXPECT_FALSE(events.has_batch());
}

TEST(EtcdEvents, LongAnswersAreCutWhereRevisionsEnd) {
  EtcdEvents events(1);
  pb::WatchResponse message;
  for (Revision revision = 1; revision <= 20; ++revision) {
    for (int i = 0; i < 128; ++i) {
      message.add_events()->mutable_kv()->set_mod_revision(revision);
    }
  }
  for (size_t i = 0; i < 2 * kMaxWatchBatchEvents; ++i) {
    message.add_events()->mutable_kv()->set_mod_revision(21);
  }
  events.add(message);
  EXPECT_EQ(events.next(), 22);
  std::vector<std::pair<Revision, size_t>> cuts;
  while (events.has_batch()) {
    const WatchBatch batch = events.take();
    cuts.emplace_back(batch.revision, batch.events.size());
  }
  EXPECT_THAT(cuts, ElementsAre(std::pair(8, 1024), std::pair(16, 1024), std::pair(20, 512),
                                std::pair(21, 2048)));
}

}  // namespace
}  // namespace flotilla::store
