#include "store/store.h"

namespace flotilla::store {

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty()) {
    const auto last = static_cast<unsigned char>(end.back());
    if (last != 0xff) {
      end.back() = static_cast<char>(last + 1);
      return end;
    }
    end.pop_back();
  }
  return std::string(kToLastKey);
}

Compare key_is_absent(std::string key) {
  return {CompareTarget::kCreate, CompareOp::kEqual, std::move(key), int64_t{0}};
}

Compare key_exists(std::string key) {
  return {CompareTarget::kCreate, CompareOp::kGreater, std::move(key), int64_t{0}};
}

Compare mod_is(std::string key, Revision revision) {
  return {CompareTarget::kMod, CompareOp::kEqual, std::move(key), revision};
}

Compare create_is(std::string key, Revision revision) {
  return {CompareTarget::kCreate, CompareOp::kEqual, std::move(key), revision};
}

}  // namespace flotilla::store
