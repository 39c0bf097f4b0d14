// For tests: a folder of its own under /tmp, and an SQLite store in it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "store/sqlite_store.h"
#include "store/store_conformance.h"
#include "store/waiting_loop.h"

namespace flotilla::store {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = "/tmp/flotilla-store-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) abort();
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class SqliteHarness : public StoreHarness {
 public:
  explicit SqliteHarness(SqliteOptions options = {}) : options_(options) { open(); }

  Store& store() override { return *store_; }
  bool reopen() override {
    store_.reset();
    open();
    return true;
  }
  bool run_until(const std::function<bool()>& fact) override { return loop_.run_until(fact); }
  void pass(base::Micros time) override { loop_.advance(time); }

  std::string path() const { return folder_ / "store.db"; }

 private:
  void open() {
    auto opened = open_sqlite_store(path(), loop_, options_);
    if (!opened) {
      fmt::print(stderr, "{}\n", opened.error().message);
      abort();
    }
    store_ = std::move(*opened);
  }

  SqliteOptions options_;
  TemporaryFolder folder_;
  WaitingLoop loop_;
  std::unique_ptr<Store> store_;
};

}  // namespace flotilla::store
