#include "sandbox/utmp.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmpx.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace flotilla::sandbox {
namespace {

class Utmp : public testing::Test {
 protected:
  Utmp() {
    char pattern[] = "/tmp/flotilla-utmp-test-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    files_ = {directory_ + "/utmp", directory_ + "/wtmp"};
    std::ofstream(files_.utmp).flush();
    std::ofstream(files_.wtmp).flush();
  }
  ~Utmp() override { std::filesystem::remove_all(directory_); }

  static std::vector<utmpx> records(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    std::vector<utmpx> found(bytes.size() / sizeof(utmpx));
    if (!found.empty()) std::memcpy(found.data(), bytes.data(), found.size() * sizeof(utmpx));
    return found;
  }
  template <size_t Size>
  static std::string text(const char (&field)[Size]) {
    return {field, ::strnlen(field, Size)};
  }
  static std::vector<int> types(const std::vector<utmpx>& all) {
    std::vector<int> found;
    for (const utmpx& one : all) found.push_back(one.ut_type);
    return found;
  }

  std::string directory_;
  UtmpFiles files_;
};

TEST_F(Utmp, AnInitRecordIsThatOfTheProcess) {
  write_utmp_start(files_, {"console1", "tty1", "me", UtmpKind::kInit});
  const auto found = records(files_.utmp);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].ut_type, INIT_PROCESS);
  EXPECT_EQ(found[0].ut_pid, ::getpid());
  EXPECT_EQ(text(found[0].ut_id), "ole1") << "the last four characters";
  EXPECT_EQ(text(found[0].ut_line), "tty1");
  EXPECT_EQ(text(found[0].ut_user), "");
  EXPECT_NE(found[0].ut_tv.tv_sec, 0);
  EXPECT_EQ(types(records(files_.wtmp)), (std::vector<int>{INIT_PROCESS}));
}

TEST_F(Utmp, AUserHasOneRecordAndThreeEventsAndAnEnd) {
  write_utmp_start(files_, {"u1", "pts/0", "somebody", UtmpKind::kUser});
  auto found = records(files_.utmp);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].ut_type, USER_PROCESS);
  EXPECT_EQ(text(found[0].ut_user), "somebody");
  EXPECT_EQ(types(records(files_.wtmp)),
            (std::vector<int>{INIT_PROCESS, LOGIN_PROCESS, USER_PROCESS}));
  write_utmp_end(files_, "u1", ::getpid() + 1, CLD_EXITED, 0);
  EXPECT_EQ(types(records(files_.utmp)), (std::vector<int>{USER_PROCESS})) << "another process";
  write_utmp_end(files_, "u1", ::getpid(), CLD_EXITED, 3);
  found = records(files_.utmp);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].ut_type, DEAD_PROCESS);
  EXPECT_EQ(text(found[0].ut_user), "");
  EXPECT_EQ(found[0].ut_exit.e_termination, CLD_EXITED);
  EXPECT_EQ(found[0].ut_exit.e_exit, 3);
  const auto events = records(files_.wtmp);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[3].ut_type, DEAD_PROCESS);
  EXPECT_EQ(text(events[3].ut_user), "somebody");
  EXPECT_NE(events[3].ut_tv.tv_sec, 0);
  write_utmp_start(files_, {"u1", "", "", UtmpKind::kLogin});
  EXPECT_EQ(types(records(files_.utmp)), (std::vector<int>{LOGIN_PROCESS})) << "in its place";
}

TEST_F(Utmp, FilesThatAreNotThereAreNotMade) {
  std::filesystem::remove(files_.utmp);
  std::filesystem::remove(files_.wtmp);
  write_utmp_start(files_, {"u1", "", "", UtmpKind::kInit});
  write_utmp_end(files_, "u1", ::getpid(), CLD_EXITED, 0);
  EXPECT_FALSE(std::filesystem::exists(files_.utmp));
  EXPECT_FALSE(std::filesystem::exists(files_.wtmp));
}

}  // namespace
}  // namespace flotilla::sandbox
