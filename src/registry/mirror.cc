#include "registry/mirror.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <vector>

namespace flotilla::registry {

namespace {

constexpr int64_t kFirstPage = 1000;
constexpr base::Micros kFirstRetry = std::chrono::milliseconds(100);
constexpr base::Micros kLongestRetry = std::chrono::seconds(2);

}  // namespace

// Lives in the store's callbacks too; `ended_` makes those that come late fall silent.
class Mirror::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(store::Store& store, base::EventLoop& loop, std::string key, std::string range_end,
       MirrorHandler handler)
      : store_(store),
        loop_(loop),
        key_(std::move(key)),
        range_end_(std::move(range_end)),
        handler_(std::move(handler)) {}

  void read_anew() {
    // Of a first reading that broke off, something may have gone since.
    if (has_told_) is_first_ = false;
    reading_.clear();
    read_page(key_, 0);
  }

  void end() {
    ended_ = true;
    watch_.reset();
    retry_.reset();
  }

  bool is_live() const { return is_live_; }
  bool has_data() const { return has_data_; }

 private:
  void read_page(std::string from, store::Revision revision) {
    store::RangeRequest request;
    request.key = std::move(from);
    request.range_end = range_end_;
    request.limit = page_;
    request.revision = revision;
    store_.range(request, [self = shared_from_this(), request](auto result) {
      if (!self->ended_) self->on_page(request, std::move(result));
    });
  }

  void on_page(const store::RangeRequest& request, base::Result<store::RangeResponse> result) {
    if (!result) {
      if (result.error().code == base::Errc::kTooLarge && page_ > 1) {
        page_ = std::max<int64_t>(page_ / 2, 1);
        return read_page(request.key, request.revision);
      }
      // kNotFound: a compaction overtook the paging.
      return retry(result.error(), &Impl::read_anew);
    }
    const store::Revision revision = request.revision != 0 ? request.revision : result->revision;
    const bool more = result->more && !result->kvs.empty();
    const std::string next = more ? result->kvs.back().key + '\0' : std::string();
    if (is_first_) {
      const auto self = shared_from_this();  // a handler may destroy the mirror
      for (const store::KeyValue& kv : result->kvs) {
        put(kv);
        if (ended_) return;
      }
    } else {
      for (store::KeyValue& kv : result->kvs) reading_.push_back(std::move(kv));
    }
    if (more) return read_page(next, revision);
    if (is_first_) return stand(revision);
    tell_differences(revision);
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
    const std::vector<store::KeyValue> all = std::exchange(reading_, {});
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
      if (before == known.end() || before->second != kv.mod_revision) put(kv);
      if (ended_) return;
    }
    stand(revision);
  }

  void stand(store::Revision revision) {
    const auto self = shared_from_this();
    is_first_ = false;
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
    handler.on_compacted = [this](store::Revision) {
      watch_.reset();
      set_live(false);
      if (!ended_) read_anew();
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
  MirrorHandler handler_;
  int64_t page_ = kFirstPage;
  std::vector<store::KeyValue> reading_;
  std::map<std::string, store::Revision> known_;  // unless the handler knows
  bool is_first_ = true;                          // nothing is told yet but the first pages
  bool has_told_ = false;
  store::Revision revision_ = 0;
  bool has_data_ = false;
  bool is_live_ = false;
  bool ended_ = false;
  base::Micros retry_delay_ = kFirstRetry;
  base::RegistrationPtr watch_;
  base::RegistrationPtr retry_;
};

Mirror::Mirror(store::Store& store, base::EventLoop& loop, std::string key, std::string range_end,
               MirrorHandler handler)
    : impl_(std::make_shared<Impl>(store, loop, std::move(key), std::move(range_end),
                                   std::move(handler))) {
  impl_->read_anew();
}

Mirror::~Mirror() { impl_->end(); }

bool Mirror::is_live() const { return impl_->is_live(); }
bool Mirror::has_data() const { return impl_->has_data(); }

}  // namespace flotilla::registry
