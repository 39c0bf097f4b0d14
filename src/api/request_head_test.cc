#include "api/request_head.h"

#include <gtest/gtest.h>

namespace flotilla::api {
namespace {

TEST(RequestHead, EndsWithAnEmptyLineOfEitherKind) {
  EXPECT_EQ(head_length("GET / HTTP/1.1\r\nA: b\r\n\r\nbody"), 24U);
  EXPECT_EQ(head_length("GET / HTTP/1.1\nA: b\n\nbody"), 21U);
  EXPECT_EQ(head_length("GET / HTTP/1.1\r\nA: b\n\r\nbody"), 23U);
  for (const char* unfinished : {"", "GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r"}) {
    EXPECT_EQ(head_length(unfinished), 0U) << unfinished;
  }
}

TEST(RequestHead, IsFoundWhereverItsPiecesAreCut) {
  for (const std::string head : {"GET / HTTP/1.1\r\nA: b\r\n\r\n", "GET / HTTP/1.1\nA: b\n\n"}) {
    for (size_t cut = 0; cut < head.size(); ++cut) {
      EXPECT_EQ(head_length(head.substr(0, cut)), 0U);
      EXPECT_EQ(head_length(head, cut), head.size()) << cut;
    }
  }
}

TEST(RequestHead, GetsTheLineEndsOfTheStandard) {
  EXPECT_EQ(with_crlf("GET /\nA: b\r\n\n"), "GET /\r\nA: b\r\n\r\n");
  EXPECT_EQ(with_crlf("\r\r\n"), "\r\r\n");
  EXPECT_EQ(leading_line_ends("\r\n\nGET"), 3U);
  EXPECT_EQ(leading_line_ends("\r\n"), 2U);
}

}  // namespace
}  // namespace flotilla::api
