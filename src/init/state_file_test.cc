#include "init/state_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "init/state_side_file.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr BootId kBoot{1, 2, 3};

class StateFileTest : public testing::Test {
 protected:
  StateFileTest() {
    char name[] = "/tmp/flotilla-state-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/state";
  }
  ~StateFileTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<StateFile> open(const BootId& boot = kBoot) {
    problems_.clear();
    return std::move(StateFile::open(path_, boot, problems_)).value();
  }

  std::string directory_, path_;
  std::vector<std::string> problems_;
};

TEST_F(StateFileTest, TheNextOpenerFindsWhatWasWritten) {
  {
    auto state = open();
    EXPECT_FALSE(state->is_inherited());
    const StateFile::SlotId slot = *state->allocate("a.service");
    {
      auto unit = state->edit(slot);
      unit->active_state = 3;
      unit->main_process = {4711, 0, 99};
    }
    state->edit_manager()->next_job_id = 42;
    *state->spawn_pid(slot, StateFile::SpawnKind::kControl) = 17;
  }
  auto state = open();
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_TRUE(state->is_inherited());
  EXPECT_EQ(state->manager().next_job_id, 42U);
  ASSERT_EQ(state->used_slots().size(), 1U);
  const StateFile::SlotId slot = state->used_slots()[0];
  EXPECT_EQ(state->record(slot).name_view(), "a.service");
  EXPECT_EQ(state->record(slot).main_process.start_ticks, 99U);
  EXPECT_EQ(*state->spawn_pid(slot, StateFile::SpawnKind::kMain), 0);
  EXPECT_EQ(*state->spawn_pid(slot, StateFile::SpawnKind::kControl), 17);
}

TEST_F(StateFileTest, AFileOfAnotherBootOrVersionIsStartedAnew) {
  { ASSERT_TRUE(open()->allocate("a.service")); }
  auto state = open(BootId{9});
  EXPECT_FALSE(state->is_inherited());
  EXPECT_THAT(state->used_slots(), IsEmpty());
  EXPECT_THAT(problems_, ElementsAre("the state file is not used: it is of another boot"));
}

TEST_F(StateFileTest, ClearForgetsAllThatWasInherited) {
  {
    auto state = open();
    ASSERT_TRUE(state->allocate("a.service"));
    state->edit_manager()->next_job_id = 42;
  }
  auto state = open();
  state->clear();
  EXPECT_FALSE(state->is_inherited());
  EXPECT_THAT(state->used_slots(), IsEmpty());
  EXPECT_EQ(state->manager().next_job_id, 0U);
  EXPECT_TRUE(state->allocate("a.service"));
}

TEST_F(StateFileTest, OnlyOneManagerHasIt) {
  auto state = open();
  const auto second = StateFile::open(path_, kBoot, problems_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::Errc::kConflict);
}

TEST_F(StateFileTest, GrowsWithoutMovingAndUsesFreedSlotsAgain) {
  auto state = open();
  const StateFile::SlotId first = *state->allocate("first.service");
  const UnitRecord* const address = &state->record(first);
  std::vector<StateFile::SlotId> slots;
  for (int i = 0; i < 2000; ++i) {
    slots.push_back(*state->allocate("unit-" + std::to_string(i) + ".service"));
  }
  EXPECT_EQ(&state->record(first), address);
  EXPECT_EQ(std::set<StateFile::SlotId>(slots.begin(), slots.end()).size(), 2000U);
  const size_t capacity = state->capacity();
  for (const StateFile::SlotId slot : slots) state->free(slot);
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(state->allocate("again.service"));
  EXPECT_EQ(state->capacity(), capacity);
  state.reset();
  EXPECT_EQ(open()->used_slots().size(), 2001U);
}

TEST_F(StateFileTest, RefusesNamesThatDoNotFit) {
  auto state = open();
  EXPECT_FALSE(state->allocate(""));
  EXPECT_FALSE(state->allocate(std::string(256, 'x')));
  EXPECT_TRUE(state->allocate(std::string(255, 'x')));
}

TEST_F(StateFileTest, AFileThatCannotGrowIsAnErrorAndNoCrash) {
  const pid_t pid = fork();
  if (pid == 0) {
    // In a process of its own: the limit cannot be taken back.
    signal(SIGXFSZ, SIG_IGN);
    auto state = open();
    struct stat status {};
    stat(path_.c_str(), &status);
    const rlimit limit{static_cast<rlim_t>(status.st_size), static_cast<rlim_t>(status.st_size)};
    setrlimit(RLIMIT_FSIZE, &limit);
    for (size_t i = 1; i < state->capacity(); ++i) {
      if (!state->allocate("x.service")) _exit(1);
    }
    _exit(state->allocate("x.service") ? 2 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

// The bytes of the file before, in the middle of, and after one write, as a killed manager leaves
// them: for every byte the write changes, an image in which the bytes up to there are new.
TEST_F(StateFileTest, AWriteCutOffAtAnyByteLeavesTheOldStateOrTheNew) {
  const base::Fd file(memfd_create("state", MFD_CLOEXEC));
  auto state = std::move(StateFile::open(base::Fd(dup(file.get())), kBoot, problems_)).value();
  const StateFile::SlotId slot = *state->allocate("a.service");
  state->edit(slot)->n_restarts = 1;
  const size_t size = kStateHeaderSize + state->capacity() * sizeof(StateSlot);
  const auto snapshot = [&] {
    std::string bytes(size, '\0');
    EXPECT_EQ(pread(file.get(), bytes.data(), size, 0), static_cast<ssize_t>(size));
    return bytes;
  };
  std::string begun;
  {
    auto unit = state->edit(slot);
    begun = snapshot();  // the undo copy is made, the sequence is odd
    unit->n_restarts = 2;
    unit->active_state = 1;
    unit->name = {'b', '.', 's'};
  }
  const std::string after = snapshot();
  size_t cuts = 0;
  const size_t first = kStateHeaderSize + slot * sizeof(StateSlot);
  for (size_t at = first; at < first + sizeof(StateSlot); ++at) {
    if (begun[at] == after[at]) continue;
    ++cuts;
    // Payload and checksum come before the sequence.
    std::string torn = begun;
    for (size_t i = first + 8; i <= at; ++i) torn[i] = after[i];
    std::vector<std::string> problems;
    ASSERT_TRUE(repair_state_image(std::as_writable_bytes(std::span(torn.data(), torn.size())),
                                   kBoot, problems));
    EXPECT_THAT(problems, IsEmpty());
    StateSlot repaired;
    std::memcpy(&repaired, torn.data() + first, sizeof repaired);
    ASSERT_EQ(check_slot(repaired, slot), SlotHealth::kGood);
    const auto* const unit = reinterpret_cast<const UnitRecord*>(repaired.payload.data());
    EXPECT_EQ(unit->n_restarts, 1U);
    EXPECT_EQ(unit->name_view(), "a.service");
  }
  EXPECT_GT(cuts, 8U);
}

TEST_F(StateFileTest, ADamagedSlotIsNamedAndForgottenAndTheOthersStay) {
  StateFile::SlotId damaged = 0;
  {
    auto state = open();
    ASSERT_TRUE(state->allocate("good.service"));
    damaged = *state->allocate("bad.service");
  }
  const base::Fd file(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  const char byte = 'X';
  ASSERT_EQ(pwrite(file.get(), &byte, 1,
                   static_cast<off_t>(kStateHeaderSize + damaged * sizeof(StateSlot) + 300)),
            1);
  auto state = open();
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_THAT(problems_[0], HasSubstr("bad.service"));
  ASSERT_EQ(state->used_slots().size(), 1U);
  EXPECT_EQ(state->record(state->used_slots()[0]).name_view(), "good.service");
}

TEST_F(StateFileTest, AKilledWriterLeavesAFileThatNeedsNoRepairReport) {
  for (int round = 0; round < 20; ++round) {
    std::filesystem::remove(path_);
    int ready[2];
    ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
      auto state = open();
      const StateFile::SlotId slot = *state->allocate("a.service");
      (void)!write(ready[1], "x", 1);
      for (uint32_t i = 1;; ++i) {
        auto unit = state->edit(slot);
        unit->n_restarts = i;
        unit->job_id = i;
        unit->start_limit_count = i;
      }
    }
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    // Each yield may cost a turn of everything else that runs here: a few are enough.
    for (int spin = 0; spin < round * 10; ++spin) sched_yield();
    kill(pid, SIGKILL);
    ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
    auto state = open();
    EXPECT_THAT(problems_, IsEmpty());
    ASSERT_EQ(state->used_slots().size(), 1U);
    const UnitRecord& unit = state->record(state->used_slots()[0]);
    EXPECT_EQ(unit.n_restarts, unit.job_id);
    EXPECT_EQ(unit.n_restarts, unit.start_limit_count);
  }
}

TEST_F(StateFileTest, ReadsTheBootIdOfThisMachine) {
  const base::Result<BootId> id = read_boot_id();
  ASSERT_TRUE(id);
  EXPECT_NE(*id, BootId{});
}

class SideFileTest : public StateFileTest {
 protected:
  std::unique_ptr<StateSideFile> open_side(const BootId& boot = kBoot) {
    problems_.clear();
    return std::move(StateSideFile::open(path_, boot, problems_)).value();
  }
};

TEST_F(SideFileTest, KeepsTheLastTextOfEachKey) {
  {
    auto side = open_side();
    ASSERT_TRUE(side->put("a.service", SideKind::kStatusText, "one"));
    ASSERT_TRUE(side->put("a.service", SideKind::kStatusText, "two"));
    ASSERT_TRUE(side->put("b.service", SideKind::kTransientUnit, std::string(100'000, 'x')));
    ASSERT_TRUE(side->put("c.service", SideKind::kStatusText, "gone"));
    ASSERT_TRUE(side->erase_unit("c.service"));
  }
  auto side = open_side();
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_EQ(side->find("a.service", SideKind::kStatusText), "two");
  EXPECT_EQ(side->find("b.service", SideKind::kTransientUnit).size(), 100'000U);
  EXPECT_EQ(side->find("c.service", SideKind::kStatusText), "");
  EXPECT_EQ(side->entries().size(), 2U);
  EXPECT_FALSE(
      side->put("a.service", SideKind::kOther, std::string(StateSideFile::kMaxText + 1, 'x')));
}

TEST_F(SideFileTest, CompactsItself) {
  auto side = open_side();
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(side->put("a.service", SideKind::kStatusText,
                          std::string(1000, static_cast<char>('a' + i % 26))));
  }
  EXPECT_LT(std::filesystem::file_size(path_), 200'000U);
  EXPECT_EQ(open_side()->find("a.service", SideKind::kStatusText)[0], 'a' + 1999 % 26);
}

TEST_F(SideFileTest, ATornTailIsCutOffAndReported) {
  { ASSERT_TRUE(open_side()->put("a.service", SideKind::kStatusText, "kept")); }
  const auto whole = std::filesystem::file_size(path_);
  { ASSERT_TRUE(open_side()->put("b.service", SideKind::kStatusText, "lost")); }
  const auto both = std::filesystem::file_size(path_);
  for (auto size = both - 1; size > whole; --size) {
    std::filesystem::resize_file(path_, size);
    auto side = open_side();
    EXPECT_EQ(problems_.size(), 1U);
    EXPECT_EQ(side->find("a.service", SideKind::kStatusText), "kept");
    EXPECT_EQ(side->entries().size(), 1U);
    ASSERT_TRUE(side->put("b.service", SideKind::kStatusText, "lost"));
    side.reset();
    EXPECT_EQ(open_side()->entries().size(), 2U);
  }
  EXPECT_THAT(open_side(BootId{7})->entries(), IsEmpty());
}

}  // namespace
}  // namespace flotilla::init
