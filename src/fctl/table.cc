#include "fctl/table.h"

#include <algorithm>

namespace flotilla::fctl {
namespace {

constexpr size_t kTab = 8;
constexpr size_t kPadding = 1;

size_t width_of(const std::string& cell) {
  return static_cast<size_t>(std::count_if(cell.begin(), cell.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

}  // namespace

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]) + kPadding);
    }
  }
  for (size_t& width : widths) width = (width + kTab - 1) / kTab * kTab;

  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append((widths[i] - width_of(row[i]) + kTab - 1) / kTab, '\t');
    }
    text += '\n';
  }
  return text;
}

}  // namespace flotilla::fctl
