#include "base/idle_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

namespace flotilla::base {
namespace {

uintptr_t page_size() { return static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)); }

size_t resident_pages(uintptr_t begin, uintptr_t end) {
  begin = begin / page_size() * page_size();
  std::vector<unsigned char> pages((end - begin) / page_size());
  EXPECT_EQ(mincore(reinterpret_cast<void*>(begin), pages.size() * page_size(), pages.data()), 0);
  return static_cast<size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
}

// Returns where on the stack it was.
[[gnu::noinline]] uintptr_t use_deep_stack() {
  std::array<volatile char, size_t{64} * 1024> room;
  for (volatile char& byte : room) byte = 1;
  return reinterpret_cast<uintptr_t>(room.data());
}

TEST(IdlePages, OfADeepCallComeBack) {
  const uintptr_t deep = use_deep_stack();
  const uintptr_t end = deep + size_t{32} * 1024;
  ASSERT_GT(resident_pages(deep, end), 4U);
  release_stack_pages();
  EXPECT_EQ(resident_pages(deep, end), 0U);
}

TEST(IdlePages, OnlyThoseWhollyInsideAreGivenBack) {
  const size_t page = page_size();
  std::vector<char> memory(4 * page, 'x');
  char* const aligned = memory.data() + (page - reinterpret_cast<uintptr_t>(memory.data()) % page);
  release_pages(aligned - 1, page + 2);
  EXPECT_EQ(aligned[-1], 'x');
  EXPECT_EQ(aligned[0], '\0');
  EXPECT_EQ(aligned[page - 1], '\0');
  EXPECT_EQ(aligned[page], 'x');
  release_pages(aligned + page + 1, page - 1);
  EXPECT_EQ(aligned[page + 1], 'x');
}

}  // namespace
}  // namespace flotilla::base
