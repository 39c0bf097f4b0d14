#include "store/sqlite_store.h"

#include "store/sqlite_harness.h"

namespace flotilla::store {
namespace {

std::unique_ptr<StoreHarness> make_sqlite_harness() { return std::make_unique<SqliteHarness>(); }

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, testing::Values(&make_sqlite_harness),
                         [](const auto&) { return "sqlite"; });

}  // namespace
}  // namespace flotilla::store
