#include "init/fd_store.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace flotilla::init {
namespace {

std::unique_ptr<StoredFd> stored(uint64_t number, const char* name, int fd) {
  auto made = std::make_unique<StoredFd>(Callback<void(uint32_t)>());
  made->number = number;
  made->name = name;
  made->fd.reset(fd);
  return made;
}

TEST(FdStore, NamesArePrintableAndWithoutColons) {
  EXPECT_TRUE(is_fd_name("a b-1"));
  EXPECT_TRUE(is_fd_name(""));
  EXPECT_FALSE(is_fd_name("a:b"));
  EXPECT_FALSE(is_fd_name("a\nb"));
  EXPECT_FALSE(is_fd_name("\xc3\xa4"));
  EXPECT_TRUE(is_fd_name(std::string(255, 'x')));
  EXPECT_FALSE(is_fd_name(std::string(256, 'x')));
}

TEST(FdStore, KnowsAFileItHasAlready) {
  FdStore store;
  const int fd = memfd_create("a", MFD_CLOEXEC);
  const base::Fd same(dup(fd)), other(memfd_create("b", MFD_CLOEXEC));
  store.add(stored(1, "a", fd));
  EXPECT_TRUE(store.contains(same.get()));
  EXPECT_FALSE(store.contains(other.get()));
}

TEST(FdStore, GivesBackTheNewestFirstAndRemembersAllOfIt) {
  FdStore store;
  store.add(stored(7, "one", memfd_create("a", MFD_CLOEXEC)));
  store.add(stored(9, "two words", memfd_create("b", MFD_CLOEXEC))).is_polled = false;
  EXPECT_EQ(store.all()[0]->name, "two words");
  EXPECT_EQ(store.text(), "7 1 one\n9 0 two words\n");
  const auto lines = parse_fd_store(store.text());
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1].number, 9U);
  EXPECT_EQ(lines[1].name, "two words");
  EXPECT_FALSE(lines[1].is_polled);
}

TEST(FdStore, LeavesOutDamagedLines) {
  EXPECT_TRUE(parse_fd_store("x\n\n7\n7 1\n7 1x\n-1 1 a\n7 1 a:b\n").empty());
  EXPECT_EQ(parse_fd_store("7 1 \n").size(), 1U);
}

}  // namespace
}  // namespace flotilla::init
