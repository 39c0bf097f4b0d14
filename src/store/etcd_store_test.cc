#include "store/etcd_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>

#include "store/etcd_cluster.h"
#include "store/settling_store.h"
#include "store/store_conformance.h"
#include "store/waiting_loop.h"

namespace flotilla::store {
namespace {

using base::Errc;
using base::Micros;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

const std::string kAll(kToLastKey);

// A member of etcd may take long over an answer when the machine is busy.
EtcdOptions patient(EtcdOptions options) {
  options.request_timeout = seconds(30);
  options.watch_patience = minutes(2);
  return options;
}

class EtcdHarness : public StoreHarness {
 public:
  explicit EtcdHarness(EtcdCluster& cluster) : cluster_(cluster) {
    open();
    wipe();
  }

  Store& store() override { return *store_; }
  bool reopen() override {
    store_.reset();
    cluster_.restart_all();
    open();
    return true;
  }
  bool run_until(const std::function<bool()>& fact) override {
    return loop_.run_until(fact, minutes(2));
  }
  void pass(Micros time) override { loop_.run_for(time); }
  int64_t lease_seconds() const override { return 3; }
  Micros most_of(std::chrono::seconds ttl) const override { return Micros(ttl) / 2; }

 protected:
  virtual std::unique_ptr<Store> make() {
    return make_etcd_store(patient(cluster_.client_options()), loop_);
  }
  void open() { store_ = make(); }
  void wipe() {
    bool is_done = false;
    std::function<void()> erase = [&] {
      store_->txn({{}, {DeleteRangeOp{kAll, kAll}}, {}}, [&](const auto& response) {
        is_done = bool(response);
        if (!response) erase();
      });
    };
    store_->txn({}, [&](const auto&) { erase(); });
    if (run_until([&] { return is_done; })) return;
    fmt::print(stderr, "etcd does not come up\n{}", cluster_.logs());
    abort();
  }

  EtcdCluster& cluster_;
  RealTimeLoop loop_;
  std::unique_ptr<Store> store_;
};

// A member at a time is killed at a random moment, started again after a while, and given time to
// join the others again.
class KillingHarness final : public EtcdHarness {
 public:
  explicit KillingHarness(EtcdCluster& cluster)
      : EtcdHarness(cluster), random_(seed()), prober_(loop_, patient(cluster.client_options())) {
    store_ = make();
    learn();
    kill_later();
  }
  ~KillingHarness() override {
    timer_.reset();
    if (killed_) cluster_.start(*killed_);
  }
  bool reopen() override {
    timer_.reset();
    killed_.reset();
    EtcdHarness::reopen();
    learn();
    kill_later();
    return true;
  }

 private:
  static unsigned seed() {
    static const unsigned value = [] {
      const char* given = std::getenv("FLOTILLA_SEED");
      const unsigned chosen = given != nullptr ? static_cast<unsigned>(std::atoi(given))
                                               : static_cast<unsigned>(std::random_device()());
      std::cout << "FLOTILLA_SEED=" << chosen << std::endl;
      return chosen;
    }();
    static unsigned tests = 0;
    return value + tests++;
  }
  std::unique_ptr<Store> make() override {
    return std::make_unique<SettlingStore>(EtcdHarness::make());
  }
  // The settling store counts from the first revision it hears.
  void learn() {
    bool is_known = false;
    store_->txn({}, [&](const auto&) { is_known = true; });
    run_until([&] { return is_known; });
  }
  Micros between(int64_t least, int64_t most) {
    return milliseconds(std::uniform_int_distribution<int64_t>(least, most)(random_));
  }
  void kill_later() {
    // Most tests are over in a moment: some of the kills have to fall into it.
    const bool is_soon = random_() % 3 == 0;
    timer_ = loop_.after(is_soon ? between(0, 50) : between(50, 2500), [this] {
      static int kills = 0;
      testing::Test::RecordProperty("kills", ++kills);
      killed_ = std::uniform_int_distribution<size_t>(0, cluster_.members() - 1)(random_);
      cluster_.kill(*killed_);
      timer_ = loop_.after(between(0, 1500), [this] {
        cluster_.start(*killed_);
        wait_for_member();
      });
    });
  }
  void wait_for_member() {
    timer_ = loop_.after(milliseconds(100), [this] {
      timer_.reset();
      if (!killed_) return;
      prober_.ask(*killed_, [this](bool is_there) {
        if (!killed_) return;
        if (!is_there) return wait_for_member();
        killed_.reset();
        kill_later();
      });
    });
  }

  // Asks one member for its status.
  class Prober {
   public:
    Prober(RealTimeLoop& loop, const EtcdOptions& options) : loop_(loop), options_(options) {}
    void ask(size_t member, std::function<void(bool)> tell) {
      EtcdOptions one = options_;
      one.endpoints = {options_.endpoints[member]};
      one.request_timeout = seconds(2);
      store_ = make_etcd_store(one, loop_);
      store_->range({"k"},
                    [tell = std::move(tell)](const auto& response) { tell(bool(response)); });
    }

   private:
    RealTimeLoop& loop_;
    EtcdOptions options_;
    std::unique_ptr<Store> store_;
  };

  std::mt19937 random_;
  Prober prober_;
  std::optional<size_t> killed_;
  base::RegistrationPtr timer_;
};

// Started for the first test that needs it, and used by all that follow.
EtcdCluster& shared_cluster(const std::string& kind) {
  static std::map<std::string, std::unique_ptr<EtcdCluster>> clusters;
  std::unique_ptr<EtcdCluster>& cluster = clusters[kind];
  if (!cluster) {
    EtcdClusterOptions options;
    if (kind == "cluster") options.members = 3;
    options.is_tls = options.has_password = kind == "tls";
    cluster = std::make_unique<EtcdCluster>(options);
  }
  return *cluster;
}

std::unique_ptr<StoreHarness> make_single_harness() {
  return std::make_unique<EtcdHarness>(shared_cluster("single"));
}
std::unique_ptr<StoreHarness> make_cluster_harness() {
  return std::make_unique<KillingHarness>(shared_cluster("cluster"));
}
std::unique_ptr<StoreHarness> make_tls_harness() {
  return std::make_unique<EtcdHarness>(shared_cluster("tls"));
}

// None where etcd is not installed.
std::vector<MakeHarness> if_installed(std::vector<MakeHarness> makers) {
  if (!EtcdCluster::is_installed()) makers.clear();
  return makers;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformance);
INSTANTIATE_TEST_SUITE_P(EtcdSingle, StoreConformance,
                         testing::ValuesIn(if_installed({&make_single_harness})),
                         [](const auto&) { return "etcd"; });
INSTANTIATE_TEST_SUITE_P(EtcdKilledMembers, StoreConformance,
                         testing::ValuesIn(if_installed({&make_cluster_harness})),
                         [](const auto&) { return "etcd"; });
INSTANTIATE_TEST_SUITE_P(EtcdTlsAndPassword, StoreConformance,
                         testing::ValuesIn(if_installed({&make_tls_harness})),
                         [](const auto&) { return "etcd"; });

class EtcdStore : public testing::Test {
 protected:
  void SetUp() override {
    if (!EtcdCluster::is_installed()) GTEST_SKIP() << "etcd is not installed";
  }

  void open(EtcdOptions options) { store_ = make_etcd_store(std::move(options), loop_); }

  template <typename T, typename Call>
  base::Result<T> await(Call call) {
    std::optional<base::Result<T>> answer;
    call([&](base::Result<T> result) { answer.emplace(std::move(result)); });
    if (!loop_.run_until([&] { return answer.has_value(); }, minutes(2))) {
      ADD_FAILURE() << "never answered";
      return base::timed_out("never answered");
    }
    return std::move(*answer);
  }
  base::Result<TxnResponse> put(const std::string& key, const std::string& value) {
    return await<TxnResponse>([&](auto done) {
      store_->txn({{}, {PutOp{key, value, 0}}, {}}, std::move(done));
    });
  }
  base::Result<RangeResponse> range(RangeRequest request) {
    return await<RangeResponse>(
        [&](auto done) { store_->range(std::move(request), std::move(done)); });
  }

  RealTimeLoop loop_;
  std::unique_ptr<Store> store_;
};

TEST_F(EtcdStore, SaysWhyNoEndpointCanBeReached) {
  auto options = make_etcd_options("http://127.0.0.1:1,unix:///nowhere/etcd.sock", {});
  ASSERT_TRUE(options);
  options->request_timeout = milliseconds(300);
  options->watch_patience = milliseconds(300);
  open(*options);
  const auto answer = put("k", "v");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kUnavailable);
  EXPECT_EQ(answer.error().message,
            "etcd cannot be reached: http://127.0.0.1:1: connection refused, "
            "unix:///nowhere/etcd.sock: there is no such socket");
  const auto kept = await<LeaseGrant>([&](auto done) { store_->keep_alive(7, std::move(done)); });
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, Errc::kUnavailable);
  std::optional<base::Error> lost;
  WatchHandler handler;
  handler.on_lost = [&](const base::Error& error) { lost = error; };
  const auto watch = store_->watch({"k"}, std::move(handler));
  ASSERT_TRUE(loop_.run_until([&] { return lost.has_value(); }, minutes(1)));
  EXPECT_EQ(lost->code, Errc::kUnavailable);
}

TEST_F(EtcdStore, DropsWhatIsDueWhenItIsDestroyedEvenByACallback) {
  EtcdCluster& cluster = shared_cluster("single");
  open(patient(cluster.client_options()));
  int called = 0;
  WatchHandler handler;
  handler.on_events = [&](const WatchBatch&) { ++called; };
  handler.on_lost = [&](const base::Error&) { ++called; };
  auto watch = store_->watch({"k"}, std::move(handler));
  const auto count = [&](const auto&) { ++called; };
  store_->txn({{}, {PutOp{"k", "", 0}}, {}}, [&](const auto&) {
    ++called;
    store_->range({"k"}, count);
    store_->keep_alive(7, count);
    store_->txn({{}, {PutOp{"", "", 0}}, {}}, count);
    store_.reset();
  });
  ASSERT_TRUE(loop_.run_until([&] { return called > 0; }, minutes(1)));
  const int before = called;
  loop_.run_for(milliseconds(200));
  EXPECT_EQ(called, before);
  watch.reset();
}

TEST_F(EtcdStore, PassesOverEndpointsThatAreNotThere) {
  EtcdOptions options = patient(shared_cluster("single").client_options());
  options.endpoints.insert(options.endpoints.begin(), {"http://127.0.0.1:1", "127.0.0.1:1", false});
  open(options);
  EXPECT_TRUE(put("k", "v"));
}

TEST_F(EtcdStore, ReadsARangeThatNoMessageCouldHold) {
  open(patient(shared_cluster("single").client_options()));
  constexpr int kValues = 40;
  for (int i = 0; i < kValues; ++i) {
    ASSERT_TRUE(put(fmt::format("large/{:02}", i), std::string(kMaxValueBytes, 'v')));
  }
  const auto all = range({"large/", prefix_end("large/")});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->kvs.size(), size_t{kValues});
  EXPECT_EQ(all->count, kValues);
  EXPECT_FALSE(all->more);
  const auto some = range({"large/", prefix_end("large/"), kValues - 1});
  ASSERT_TRUE(some);
  EXPECT_EQ(some->kvs.size(), size_t{kValues - 1});
  EXPECT_TRUE(some->more);
  EXPECT_EQ(range({"large/", prefix_end("large/"), 0, 0, true})->kvs.size(), size_t{kValues});
  const auto erased = await<TxnResponse>([&](auto done) {
    store_->txn({{}, {DeleteRangeOp{kAll, kAll}}, {}}, std::move(done));
  });
  EXPECT_TRUE(erased);
}

TEST_F(EtcdStore, SaysWhatIsWrongWithCertificatesAndPasswords) {
  const EtcdCluster& cluster = shared_cluster("tls");
  open(patient(cluster.client_options()));
  ASSERT_TRUE(put("k", "v"));
  const auto error_with = [&](const EtcdSettings& credentials, const std::string& url) {
    auto options = make_etcd_options(url, credentials);
    EXPECT_TRUE(options);
    options->request_timeout = seconds(5);
    open(*options);
    const auto answer = put("k", "w");
    EXPECT_FALSE(answer);
    return answer ? base::Error{} : answer.error();
  };
  EtcdSettings credentials = cluster.credentials();
  credentials.ca_file = cluster.path("other-ca.pem");
  EXPECT_EQ(error_with(credentials, cluster.url(0)).message,
            fmt::format("etcd cannot be reached: {}: its certificate is not signed by the given "
                        "authority, or not valid now",
                        cluster.url(0)));
  credentials = cluster.credentials();
  credentials.cert_file = cluster.path("client-expired.pem");
  EXPECT_EQ(error_with(credentials, cluster.url(0)).message,
            fmt::format("etcd cannot be reached: {}: it refuses the client certificate, which has "
                        "expired",
                        cluster.url(0)));
  credentials.cert_file = credentials.key_file = "";
  EXPECT_THAT(error_with(credentials, cluster.url(0)).message,
              testing::HasSubstr("it may ask for a client certificate"));
  credentials = cluster.credentials();
  credentials.password = "guessed";
  const base::Error wrong = error_with(credentials, cluster.url(0));
  EXPECT_EQ(wrong.message, "etcd refuses the user name or the password");
  EXPECT_EQ(wrong.code, Errc::kDenied);
  credentials.username = credentials.password = "";
  const base::Error none = error_with(credentials, cluster.url(0));
  EXPECT_EQ(none.code, Errc::kDenied) << none.message;
  const base::Error plain = error_with(cluster.credentials(), "http" + cluster.url(0).substr(5));
  EXPECT_EQ(plain.code, Errc::kUnavailable);
  EXPECT_THAT(plain.message, testing::EndsWith("use https://"));
}

TEST_F(EtcdStore, GetsANewTokenWhenTheOldOneIsGone) {
  EtcdCluster& cluster = shared_cluster("tls");
  open(patient(cluster.client_options()));
  ASSERT_TRUE(put("k", "before"));
  const auto lease =
      await<LeaseGrant>([&](auto done) { store_->grant_lease(seconds(100), std::move(done)); });
  ASSERT_TRUE(lease);
  std::vector<std::string> seen;
  WatchHandler handler;
  handler.on_events = [&](const WatchBatch& batch) {
    for (const Event& event : batch.events) seen.push_back(event.kv.value);
  };
  const auto watch = store_->watch({"k"}, std::move(handler));
  for (const std::string value : {"one", "two"}) {
    // Every change of users makes all tokens invalid.
    cluster.etcdctl(fmt::format("--user='root:open sesame' user add {}:x", value));
    cluster.restart_all();
    const auto kept =
        await<LeaseGrant>([&](auto done) { store_->keep_alive(lease->lease, std::move(done)); });
    EXPECT_TRUE(kept) << kept.error().message;
    const auto read = range({"k"});
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_TRUE(put("k", value));
  }
  EXPECT_TRUE(loop_.run_until([&] { return seen.size() == 2; }, minutes(1)));
  EXPECT_THAT(seen, testing::ElementsAre("one", "two"));
}

// By a backup, whose revisions and leases are those of then.
TEST_F(EtcdStore, SaysThatItHasBeenPutBackToAnEarlierState) {
  EtcdCluster cluster({});
  open(patient(cluster.client_options()));
  ASSERT_TRUE(put("k", "before"));
  const auto lease =
      await<LeaseGrant>([&](auto done) { store_->grant_lease(seconds(100), std::move(done)); });
  ASSERT_TRUE(lease);
  const std::string backup = cluster.path("backup");
  cluster.etcdctl("snapshot save " + backup);
  const auto later = put("k", "after");
  ASSERT_TRUE(later);
  std::optional<Revision> live;
  std::optional<Revision> resumed;
  const auto listen = [&](std::optional<Revision>& to, Revision from) {
    WatchHandler handler;
    handler.on_compacted = [&to](Revision revision) { to = revision; };
    return store_->watch({"k", {}, from}, std::move(handler));
  };
  const auto watch = listen(live, later->revision + 1);
  ASSERT_TRUE(range({"k"}));
  cluster.kill(0);
  std::filesystem::remove_all(cluster.path("m0"));
  cluster.etcdctl(
      fmt::format("snapshot restore {} --data-dir={} --name=m0 --initial-cluster=m0={} "
                  "--initial-advertise-peer-urls={}",
                  backup, cluster.path("m0"), cluster.peer_url(0), cluster.peer_url(0)));
  cluster.start(0);
  ASSERT_TRUE(loop_.run_until([&] { return live.has_value(); }, minutes(2)));
  EXPECT_EQ(*live, 0);
  const auto again = listen(resumed, later->revision + 1);
  ASSERT_TRUE(loop_.run_until([&] { return resumed.has_value(); }, minutes(1)));
  EXPECT_EQ(*resumed, 0);
  const auto now = range({"k"});
  ASSERT_TRUE(now);
  EXPECT_EQ(now->kvs.at(0).value, "before");
  const auto kept =
      await<LeaseGrant>([&](auto done) { store_->keep_alive(lease->lease, std::move(done)); });
  ASSERT_FALSE(kept) << "of what hung on it, some is missing";
  EXPECT_EQ(kept.error().code, Errc::kNotFound);
}

TEST_F(EtcdStore, WaitsForASlowCheckOfThePassword) {
  EtcdClusterOptions options;
  options.has_password = true;
  options.more_arguments = {"--bcrypt-cost=13"};
  const EtcdCluster cluster(options);
  auto hurried = make_etcd_options(cluster.url(0), cluster.credentials());
  ASSERT_TRUE(hurried);
  // Less than the check takes on any machine; more than what is asked afterwards.
  hurried->request_timeout = milliseconds(300);
  open(*hurried);
  // A busy machine may need several attempts, for the rest.
  bool is_put = false;
  for (int i = 0; i < 100 && !is_put; ++i) is_put = put("k", "v").has_value();
  EXPECT_TRUE(is_put);
}

TEST_F(EtcdStore, SaysThatTheDatabaseIsFullAndGoesOnAfterwards) {
  EtcdClusterOptions options;
  options.more_arguments = {"--quota-backend-bytes=4194304"};
  EtcdCluster cluster(options);
  open(patient(cluster.client_options()));
  base::Result<TxnResponse> answer = put("k", "v");
  ASSERT_TRUE(answer) << answer.error().message;
  for (int i = 0; answer && i < 100; ++i) answer = put("k", std::string(kMaxValueBytes / 2, 'v'));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kInternal);
  EXPECT_EQ(
      answer.error().message,
      "etcd takes no writes, its database is full (NOSPACE alarm): compact and defragment it, "
      "then disarm the alarm");
  const auto read = range({"k"});
  ASSERT_TRUE(read) << read.error().message;
  const auto compacted =
      await<Revision>([&](auto done) { store_->compact(read->revision, std::move(done)); });
  EXPECT_TRUE(compacted) << compacted.error().message;
  cluster.etcdctl("defrag");
  cluster.etcdctl("alarm disarm");
  EXPECT_TRUE(put("k", "small"));
}

TEST_F(EtcdStore, LosesAWatchOnlyWhenEtcdStaysAway) {
  EtcdCluster cluster({});
  EtcdOptions options = patient(cluster.client_options());
  options.watch_patience = seconds(60);
  open(options);
  ASSERT_TRUE(put("k", "0"));
  std::vector<std::string> seen;
  std::optional<base::Error> lost;
  WatchHandler handler;
  handler.on_events = [&](const WatchBatch& batch) {
    for (const Event& event : batch.events) seen.push_back(event.kv.value);
  };
  handler.on_lost = [&](const base::Error& error) { lost = error; };
  const auto watch = store_->watch({"k"}, handler);
  ASSERT_TRUE(put("k", "1"));
  cluster.restart_all();
  ASSERT_TRUE(range({"k"}));
  ASSERT_TRUE(put("k", "2"));
  ASSERT_TRUE(loop_.run_until([&] { return seen.size() == 2; }, minutes(1)));
  EXPECT_FALSE(lost);
  options.watch_patience = milliseconds(500);
  open(options);
  const auto short_watch = store_->watch({"k", "", 1}, handler);
  ASSERT_TRUE(loop_.run_until([&] { return seen.size() == 5; }, minutes(1)));
  cluster.kill(0);
  ASSERT_TRUE(loop_.run_until([&] { return lost.has_value(); }, minutes(1)));
  EXPECT_EQ(lost->code, Errc::kUnavailable);
  EXPECT_THAT(lost->message, HasSubstr("connection refused"));
}

TEST_F(EtcdStore, AsksASilentWatchWhetherItStands) {
  EtcdOptions options = patient(shared_cluster("single").client_options());
  options.watch_silence = milliseconds(100);
  open(options);
  ASSERT_TRUE(put("k", "0"));
  int events = 0;
  int lost = 0;
  WatchHandler handler;
  handler.on_events = [&](const WatchBatch& batch) { events += batch.events.empty() ? 0 : 1; };
  handler.on_lost = [&](const base::Error&) { ++lost; };
  const auto watch = store_->watch({"k"}, std::move(handler));
  loop_.run_for(seconds(1));
  ASSERT_TRUE(put("k", "1"));
  ASSERT_TRUE(loop_.run_until([&] { return events == 1; }, minutes(1)));
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace flotilla::store
