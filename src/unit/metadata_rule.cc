#include "unit/metadata_rule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>

#include "unit/size.h"

namespace flotilla::unit {
namespace {

using Op = MetadataRule::Op;

struct Spelling {
  std::string_view text;
  Op op;
};
// The longer first.
constexpr std::array kSpellings = {
    Spelling{"<=", Op::kLessEqual}, Spelling{">=", Op::kGreaterEqual},
    Spelling{"!=", Op::kNotEqual},  Spelling{"==", Op::kEqual},
    Spelling{"<", Op::kLess},       Spelling{">", Op::kGreater},
    Spelling{"=", Op::kEqual},
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<std::int64_t> integer_of(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool has_size_suffix(std::string_view text) {
  return !text.empty() && is_digit(text.front()) &&
         std::string_view("BKMGTPE").find(text.back()) != std::string_view::npos;
}

std::optional<std::uint64_t> size_of(std::string_view text) {
  if (text.find(' ') != std::string_view::npos) return std::nullopt;
  if (!has_size_suffix(text) && !integer_of(text)) return std::nullopt;
  const auto size = parse_size(text);
  return size ? std::optional(*size) : std::nullopt;
}

// Numbers with dots between them.
bool is_version(std::string_view text) {
  bool expects_digit = true;
  for (const char c : text) {
    if (!is_digit(c) && (c != '.' || expects_digit)) return false;
    expects_digit = c == '.';
  }
  return !expects_digit;
}

// The next part without leading zeros; empty at the end and for 0.
std::string_view next_part(std::string_view& rest) {
  const std::size_t dot = std::min(rest.find('.'), rest.size());
  std::string_view part = rest.substr(0, dot);
  rest.remove_prefix(std::min(dot + 1, rest.size()));
  part.remove_prefix(std::min(part.find_first_not_of('0'), part.size()));
  return part;
}

std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    const std::string_view left = next_part(a);
    const std::string_view right = next_part(b);
    if (left.size() != right.size()) return left.size() <=> right.size();
    if (const int order = left.compare(right); order != 0) return order <=> 0;
  }
  return std::strong_ordering::equal;
}

std::optional<std::strong_ordering> compare(std::string_view a, std::string_view b) {
  const auto left = integer_of(a);
  const auto right = integer_of(b);
  if (left && right) return *left <=> *right;
  const auto left_size = size_of(a);
  const auto right_size = size_of(b);
  if (left_size && right_size) return *left_size <=> *right_size;
  if (is_version(a) && is_version(b)) return compare_versions(a, b);
  return std::nullopt;
}

struct Found {
  std::size_t at = 0;
  Spelling spelling;
};

std::optional<Found> find_operator(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const Spelling& spelling : kSpellings) {
      if (text.substr(at, spelling.text.size()) == spelling.text) return Found{at, spelling};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Op op) {
  if (op == Op::kEqual) return "=";
  const auto found = std::find_if(kSpellings.begin(), kSpellings.end(),
                                  [op](const Spelling& spelling) { return spelling.op == op; });
  return found->text;
}

bool MetadataRule::holds_for(std::string_view machine_value) const {
  if (op == Op::kEqual) return machine_value == value;
  if (op == Op::kNotEqual) return machine_value != value;
  const auto order = compare(machine_value, value);
  if (!order) return false;
  switch (op) {
    case Op::kLess:
      return *order < 0;
    case Op::kLessEqual:
      return *order <= 0;
    case Op::kGreater:
      return *order > 0;
    default:
      return *order >= 0;
  }
}

base::Result<std::optional<MetadataTerm>> parse_metadata_term(std::string_view text,
                                                              std::string_view option) {
  const std::optional<Found> found = find_operator(text);
  if (!found) return std::optional<MetadataTerm>();
  MetadataTerm term;
  term.key = trimmed(text.substr(0, found->at));
  term.rule.op = found->spelling.op;
  term.rule.value = trimmed(text.substr(found->at + found->spelling.text.size()));
  const std::string& value = term.rule.value;
  if (found->spelling.text == "=") {
    if (value.starts_with('<') || value.starts_with('>')) {
      return base::invalid("invalid {} \"{}\": the operator is {}=, not ={}", option, text,
                           value.front(), value.front());
    }
    if (term.key.empty() || value.empty() || value.find('=') != std::string::npos) {
      return std::optional<MetadataTerm>();
    }
    return std::optional(std::move(term));
  }
  if (term.key.empty() || value.empty()) {
    return base::invalid("invalid {} \"{}\": {} is missing", option, text,
                         value.empty() ? "the value" : "the key");
  }
  if (value.find_first_of("<>=") != std::string::npos) {
    return base::invalid("invalid {} \"{}\": more than one operator", option, text);
  }
  const bool is_order = term.rule.op != Op::kEqual && term.rule.op != Op::kNotEqual;
  if (is_order && !integer_of(value) && !size_of(value) && !is_version(value)) {
    return base::invalid("invalid {} \"{}\": {} compares integers, sizes and versions, not \"{}\"",
                         option, text, found->spelling.text, value);
  }
  return std::optional(std::move(term));
}

}  // namespace flotilla::unit
