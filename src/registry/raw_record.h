// For tests: records written past the registry, as another daemon, or a stranger, might.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "store/store.h"

namespace flotilla::registry {

// Without a value the record is deleted. The answer comes in a later turn of the store's loop.
inline void write_raw_record(store::Store& store, std::string key,
                             std::optional<std::string> value) {
  store::TxnRequest txn;
  if (value) {
    txn.then_ops.emplace_back(store::PutOp{std::move(key), std::move(*value), 0});
  } else {
    txn.then_ops.emplace_back(store::DeleteRangeOp{std::move(key), {}});
  }
  store.txn(std::move(txn),
            [](const base::Result<store::TxnResponse>& done) { ASSERT_TRUE(done); });
}

}  // namespace flotilla::registry
