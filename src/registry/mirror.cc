#include "registry/mirror.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "registry/range_reading.h"

namespace flotilla::registry {

namespace {

constexpr base::Micros kFirstRetry = std::chrono::milliseconds(100);
constexpr base::Micros kLongestRetry = std::chrono::seconds(2);

}  // namespace

// Lives in the store's callbacks too; `ended_` makes those that come late fall silent.
class Mirror::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(store::Store& store, base::EventLoop& loop, std::string key, std::string range_end,
       std::vector<std::string> cuts, MirrorHandler handler)
      : store_(store),
        loop_(loop),
        key_(std::move(key)),
        range_end_(std::move(range_end)),
        cuts_(std::move(cuts)),
        handler_(std::move(handler)) {}

  void read_anew() {
    // Of a first reading that broke off, something may have gone since.
    if (has_told_) is_first_ = false;
    reading_.clear();
    RangeReadingHandler handler;
    handler.on_page = [this](std::vector<store::KeyValue>& page) { on_page(page); };
    handler.on_end = [this](const base::Result<store::Revision>& revision) { on_read(revision); };
    read_ = std::make_unique<RangeReading>(store_, key_, range_end_, cuts_, std::move(handler));
  }

  void end() {
    ended_ = true;
    read_.reset();
    watch_.reset();
    retry_.reset();
  }

  bool is_live() const { return is_live_; }
  bool has_data() const { return has_data_; }

 private:
  void on_page(std::vector<store::KeyValue>& page) {
    if (!is_first_) {
      reading_.insert(reading_.end(), std::make_move_iterator(page.begin()),
                      std::make_move_iterator(page.end()));
      return;
    }
    const auto self = shared_from_this();  // a handler may destroy the mirror
    for (const store::KeyValue& kv : page) {
      put(kv);
      if (ended_) return;
    }
  }

  void on_read(const base::Result<store::Revision>& revision) {
    // kNotFound: a compaction overtook the paging.
    if (!revision) return retry(revision.error(), &Impl::read_anew);
    if (is_first_) return stand(*revision);
    tell_differences(*revision);
  }

  void put(const store::KeyValue& kv) {
    has_told_ = true;
    if (!handler_.known) known_[kv.key] = kv.mod_revision;
    handler_.on_put(kv);
  }

  void erase(const std::string& key) {
    if (!handler_.known) known_.erase(key);
    handler_.on_delete(key);
  }

  void tell_differences(store::Revision revision) {
    std::vector<store::KeyValue> all = std::exchange(reading_, {});
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    const std::map<std::string, store::Revision> known = handler_.known ? handler_.known() : known_;
    const auto self = shared_from_this();  // a handler may destroy the mirror
    const auto is_before = [](const store::KeyValue& kv, const std::string& key) {
      return kv.key < key;
    };
    for (const auto& [key, mod] : known) {
      const auto found = std::lower_bound(all.begin(), all.end(), key, is_before);
      if (found == all.end() || found->key != key) erase(key);
      if (ended_) return;
    }
    for (const store::KeyValue& kv : all) {
      const auto before = known.find(kv.key);
      if (is_history_new_ || before == known.end() || before->second != kv.mod_revision) put(kv);
      if (ended_) return;
    }
    stand(revision);
  }

  void stand(store::Revision revision) {
    const auto self = shared_from_this();
    is_first_ = false;
    is_history_new_ = false;
    revision_ = revision;
    has_data_ = true;
    listen();
    handler_.on_step(revision);
    if (!ended_) set_live(true);
  }

  void listen() {
    retry_delay_ = kFirstRetry;
    store::WatchRequest request;
    request.key = key_;
    request.range_end = range_end_;
    request.from_revision = revision_ + 1;
    store::WatchHandler handler;
    handler.on_events = [this](const store::WatchBatch& batch) { on_events(batch); };
    handler.on_compacted = [this](store::Revision compacted) {
      watch_.reset();
      set_live(false);
      if (ended_) return;
      if (compacted == 0) return read_another_history();
      read_anew();
    };
    handler.on_lost = [this](const base::Error& error) {
      watch_.reset();
      set_live(false);
      if (!ended_) retry(error, &Impl::probe);
    };
    watch_ = store_.watch(std::move(request), std::move(handler));
  }

  void on_events(const store::WatchBatch& batch) {
    const auto self = shared_from_this();
    for (const store::Event& event : batch.events) {
      if (event.type == store::EventType::kPut) {
        put(event.kv);
      } else {
        erase(event.kv.key);
      }
      if (ended_) return;
    }
    revision_ = batch.revision;
    handler_.on_step(batch.revision);
  }

  void read_another_history() {
    SPDLOG_WARN("The store has been put back to an earlier state; reading {} anew", key_);
    is_history_new_ = true;
    read_anew();
  }

  // A watch does not say when it begins to stand; that the store answers at all is asked for first.
  void probe() {
    store::RangeRequest request;
    request.key = key_;
    request.range_end = range_end_;
    request.limit = 1;
    request.keys_only = true;
    store_.range(std::move(request), [self = shared_from_this()](auto result) {
      if (self->ended_) return;
      if (!result) return self->retry(result.error(), &Impl::probe);
      if (result->revision < self->revision_) return self->read_another_history();
      self->listen();
      self->set_live(true);
    });
  }

  void retry(const base::Error& error, void (Impl::*step)()) {
    SPDLOG_WARN("Lost the view of {}: {}; trying again", key_, error.message);
    retry_ = loop_.after(retry_delay_, [self = shared_from_this(), step] {
      if (!self->ended_) (self.get()->*step)();
    });
    retry_delay_ = std::min(retry_delay_ * 2, kLongestRetry);
  }

  void set_live(bool is_live) {
    if (is_live_ == is_live) return;
    is_live_ = is_live;
    if (handler_.on_live) handler_.on_live(is_live);
  }

  store::Store& store_;
  base::EventLoop& loop_;
  const std::string key_;
  const std::string range_end_;
  const std::vector<std::string> cuts_;
  MirrorHandler handler_;
  std::vector<store::KeyValue> reading_;
  std::map<std::string, store::Revision> known_;  // unless the handler knows
  bool is_first_ = true;                          // nothing is told yet but the first pages
  bool has_told_ = false;
  bool is_history_new_ = false;  // equal revisions mean nothing
  store::Revision revision_ = 0;
  bool has_data_ = false;
  bool is_live_ = false;
  bool ended_ = false;
  base::Micros retry_delay_ = kFirstRetry;
  std::unique_ptr<RangeReading> read_;
  base::RegistrationPtr watch_;
  base::RegistrationPtr retry_;
};

Mirror::Mirror(store::Store& store, base::EventLoop& loop, std::string key, std::string range_end,
               MirrorHandler handler, std::vector<std::string> cuts)
    : impl_(std::make_shared<Impl>(store, loop, std::move(key), std::move(range_end),
                                   std::move(cuts), std::move(handler))) {
  impl_->read_anew();
}

Mirror::~Mirror() { impl_->end(); }

bool Mirror::is_live() const { return impl_->is_live(); }
bool Mirror::has_data() const { return impl_->has_data(); }

}  // namespace flotilla::registry
