#include "logs/line_splitter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace flotilla::logs {
namespace {

struct Piece {
  std::string message;
  int priority;
  bool partial;
  friend bool operator==(const Piece&, const Piece&) = default;
};

// Feeds the text in reads of `step` bytes, as the log process would.
std::vector<Piece> split(const std::string& text, std::size_t step, bool level_prefix,
                         LineSplitter::Rest rest = LineSplitter::Rest::kLine) {
  LineSplitter splitter(6, level_prefix);
  std::vector<Piece> pieces;
  const auto emit = [&](std::string_view message, std::uint8_t priority, bool partial) {
    EXPECT_LE(message.size(), kMaxMessage);
    pieces.push_back({std::string(message), priority, partial});
  };
  std::string kept;
  for (std::size_t i = 0; i < text.size(); i += step) {
    const std::string data = kept + text.substr(i, step);
    const std::size_t used = splitter.split(data, kept.size(), emit);
    kept = data.substr(used);
    EXPECT_LE(kept.size(), kMaxMessage);
  }
  splitter.finish(kept, rest, emit);
  return pieces;
}

TEST(LineSplitter, GivesTheSameLinesHoweverTheyArrive) {
  const std::string text = "one\n\n<3>three\nfour<4>\nfive";
  const std::vector<Piece> expected = {{"one", 6, false},
                                       {"", 6, false},
                                       {"three", 3, false},
                                       {"four<4>", 6, false},
                                       {"five", 6, false}};
  for (std::size_t step = 1; step <= text.size(); ++step) {
    EXPECT_EQ(split(text, step, true), expected) << step;
  }
}

TEST(LineSplitter, LeavesPrefixesAloneWhereTheyAreNotWanted) {
  EXPECT_EQ(split("<3>x\n", 100, false), (std::vector<Piece>{{"<3>x", 6, false}}));
}

TEST(LineSplitter, CutsLongLinesIntoPiecesThatJoinAgain) {
  const std::string line = "<2>" + std::string(3 * kMaxMessage + 5, 'x');
  for (const std::size_t step : {std::size_t{1000}, kMaxMessage, std::size_t{65536}}) {
    const std::vector<Piece> pieces = split(line + "\n<3>next\n", step, true);
    ASSERT_EQ(pieces.size(), 5U);
    std::string joined;
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(pieces[i].partial, i < 3);
      EXPECT_EQ(pieces[i].priority, 2);
      joined += pieces[i].message;
    }
    EXPECT_EQ("<2>" + joined, line);
    EXPECT_EQ(pieces[4], (Piece{"next", 3, false}));
  }
}

TEST(LineSplitter, ALineOfExactlyTheLimitIsWhole) {
  const std::string line(kMaxMessage, 'x');
  for (const std::size_t step : {std::size_t{4096}, std::size_t{1} << 20}) {
    EXPECT_EQ(split(line + "\n", step, true), (std::vector<Piece>{{line, 6, false}}));
  }
}

TEST(LineSplitter, DoesNotCutACharacter) {
  std::string line(kMaxMessage - 1, 'x');
  line += "\xe2\x82\xac tail";
  const std::vector<Piece> pieces = split(line + "\n", 1 << 20, true);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].message.size(), kMaxMessage - 1);
  EXPECT_EQ(pieces[1].message, "\xe2\x82\xac tail");
  // Bytes that are no UTF-8 are cut at the limit.
  EXPECT_EQ(split(std::string(kMaxMessage + 1, '\x80') + "\n", 1 << 20, true)[0].message.size(),
            kMaxMessage);
}

TEST(LineSplitter, AnUnfinishedLineIsAPieceWhenAnotherReadsOn) {
  EXPECT_EQ(split("abc", 3, true, LineSplitter::Rest::kPiece),
            (std::vector<Piece>{{"abc", 6, true}}));
}

}  // namespace
}  // namespace flotilla::logs
