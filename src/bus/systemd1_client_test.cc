#include "bus/systemd1_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/fake_event_loop.h"
#include "bus/fake_unit_manager.h"
#include "bus/object_path.h"
#include "bus/poll_event_loop.h"
#include "bus/server.h"
#include "bus/unit_manager_conformance.h"

namespace flotilla::bus {
namespace {

using base::Result;

// The fake manager served over D-Bus, so that the client talks to something that behaves.
class FakeService final : public ServerHandler, private UnitManagerListener {
 public:
  FakeService(base::EventLoop& loop, std::string path)
      : loop_(loop), path_(std::move(path)), subscription_(fake_.subscribe(*this)) {
    fake_.hold_jobs(true);
    listen();
  }

  FakeUnitManager& fake() { return fake_; }
  void settle() { fake_loop_.settle(); }
  void close() {
    server_.reset();
    ::unlink(path_.c_str());
  }
  void listen() {
    base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(fd.get(), generic, sizeof address), 0);
    ASSERT_EQ(::listen(fd.get(), 16), 0);
    server_ = std::make_unique<Server>(loop_, std::move(fd), "org.freedesktop.systemd1",
                                       ServerLimits{}, *this, [](const std::string&) {});
  }

 private:
  // Calls the fake, whose loop is run to the end, and gives what it answered.
  template <typename T>
  Result<T> ask(const std::function<void(Done<T>)>& call) {
    Result<T> answer = base::internal("no answer");
    call([&](Result<T> result) { answer = std::move(result); });
    fake_loop_.settle();
    return answer;
  }

  void on_call(MethodCall& call) override {
    const std::string_view member = call.message().member();
    MessageReader in = call.arguments();
    if (call.message().interface() == kPropertiesInterface) return get_all(call);
    if (member == "Subscribe") return call.send_empty();
    if (member == "StartUnit") return run_job(call, &FakeUnitManager::start);
    if (member == "StopUnit") return run_job(call, &FakeUnitManager::stop);
    if (member == "RestartUnit") return run_job(call, &FakeUnitManager::restart);
    if (member == "ListUnitsByNames") return list(call);
    if (member == "GetUnitProcesses") return processes(call);
    if (member == "LinkUnitFiles" || member == "DisableUnitFiles") {
      const auto names = in.strings().value_or({});
      auto changes = ask<std::vector<UnitFileChange>>([&](auto done) {
        if (member == "LinkUnitFiles") {
          fake_.link_unit_files(names, done);
        } else {
          fake_.disable_unit_files(names, done);
        }
      });
      return answer<std::vector<UnitFileChange>>(call, changes, write_changes);
    }
    if (member == "EnableUnitFiles") {
      const auto names = in.strings().value_or({});
      auto outcome = ask<EnableOutcome>([&](auto done) { fake_.enable_unit_files(names, done); });
      return answer<EnableOutcome>(call, outcome, [](MessageWriter& out, const auto& value) {
        out.boolean(value.carries_install_info);
        write_changes(out, value.changes);
      });
    }
    if (member == "ResetFailedUnit" || member == "Reload") {
      const std::string unit = in.string().value_or("");
      auto status = ask<void>([&](auto done) {
        if (member == "Reload") {
          fake_.reload_daemon(done);
        } else {
          fake_.reset_failed(unit, done);
        }
      });
      if (!status) return call.send_error(status.error());
      return call.send_empty();
    }
    call.send_error("org.freedesktop.DBus.Error.UnknownMethod", "no");
  }

  template <typename T>
  void answer(MethodCall& call, const Result<T>& result,
              const std::function<void(MessageWriter&, const T&)>& write) {
    if (!result) return call.send_error(result.error());
    MessageWriter out = *call.new_reply();
    write(out, *result);
    call.send(std::move(out));
  }

  static void write_changes(MessageWriter& out, const std::vector<UnitFileChange>& changes) {
    out.open_array("(sss)");
    for (const auto& change : changes) {
      out.open_struct("sss").string(change.type).string(change.path).string(change.target).close();
    }
    out.close();
  }

  using JobMethod = void (FakeUnitManager::*)(std::string_view, JobMode, Done<JobResult>);
  void run_job(MethodCall& call, JobMethod method) {
    const std::string unit = call.arguments().string().value_or("");
    Result<JobResult> refused = JobResult::kDone;
    (fake_.*method)(unit, JobMode::kReplace, [&refused](Result<JobResult> r) { refused = r; });
    fake_loop_.settle();
    if (!refused) return call.send_error(refused.error());
    MessageWriter out = *call.new_reply();
    out.object_path(job_path(fake_.state_of(unit).job_id));
    call.send(std::move(out));
    // The reference to `refused` must not be called: the fake forgets it with the connection.
    fake_.set_connected(false);
    fake_loop_.settle();
    fake_.set_connected(true);
    loop_.post([this] {
      fake_.finish_jobs();
      fake_loop_.settle();
    });
  }

  void list(MethodCall& call) {
    const auto names = call.arguments().strings().value_or({});
    auto states =
        ask<std::vector<UnitState>>([&](auto done) { fake_.list_units_by_names(names, done); });
    answer<std::vector<UnitState>>(call, states, [](MessageWriter& out, const auto& list) {
      out.open_array("(ssssssouso)");
      for (const UnitState& unit : list) {
        out.open_struct("ssssssouso").string(unit.name).string(unit.description);
        out.string(unit.load_state).string(unit.active_state).string(unit.sub_state).string("");
        out.object_path(unit_path(unit.name)).u32(unit.job_id).string(unit.job_type);
        out.object_path("/").close();
      }
      out.close();
    });
  }

  void processes(MethodCall& call) {
    const std::string unit = call.arguments().string().value_or("");
    auto list = ask<std::vector<UnitProcess>>([&](auto done) { fake_.get_processes(unit, done); });
    answer<std::vector<UnitProcess>>(call, list, [](MessageWriter& out, const auto& all) {
      out.open_array("(sus)");
      for (const UnitProcess& process : all) {
        out.open_struct("sus").string(process.cgroup).u32(process.pid).string("").close();
      }
      out.close();
    });
  }

  void get_all(MethodCall& call) {
    const std::string unit = unit_of_path(call.message().path()).value_or("");
    auto properties = ask<Properties>([&](auto done) { fake_.get_properties(unit, done); });
    answer<Properties>(call, properties, [](MessageWriter& out, const Properties& all) {
      out.open_array("{sv}");
      for (const auto& [name, value] : all) {
        out.open_dict_entry("sv").string(name).open_variant(value.signature.c_str());
        if (value.signature == "u") {
          out.u32(static_cast<uint32_t>(value.as_unsigned(0)));
        } else {
          out.string(*value.as_string());
        }
        out.close().close();
      }
      out.close();
    });
  }

  void on_job_removed(const JobRemoved& job) override {
    server_->emit(kSystemd1Path, kManagerInterface, "JobRemoved", [&](MessageWriter& out) {
      out.u32(job.id).object_path(job_path(job.id)).string(job.unit).string(to_string(job.result));
    });
  }
  void on_unit_changed(const UnitChange& change) override {
    server_->emit(unit_path(change.name), kPropertiesInterface, "PropertiesChanged",
                  [&](MessageWriter& out) {
                    out.string(kUnitInterface).open_array("{sv}");
                    out.open_dict_entry("sv").string("ActiveState").open_variant("s");
                    out.string(change.active_state).close().close();
                    out.close().strings({});
                  });
  }
  void on_reloaded() override {
    server_->emit(kSystemd1Path, kManagerInterface, "Reloading",
                  [](MessageWriter& out) { out.boolean(false); });
  }

  base::EventLoop& loop_;
  std::string path_;
  base::FakeEventLoop fake_loop_;
  FakeUnitManager fake_{fake_loop_};
  base::RegistrationPtr subscription_;
  std::unique_ptr<Server> server_;
};

class TemporaryDirectory {
 public:
  TemporaryDirectory() { path_ = ::mkdtemp(template_); }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  char template_[32] = "/tmp/flotilla-bus-XXXXXX";
  std::string path_;
};

constexpr base::Micros kLimit{20'000'000};

class ClientHarness final : public UnitManagerHarness {
 public:
  UnitManager& manager() override { return client_; }
  bool run_until(const std::function<bool()>& condition) override {
    return loop_.run_until(condition, kLimit);
  }
  void install(const std::string& name) override { service_.fake().add_unit_file(name); }
  std::string make_file(const std::string& name) override {
    service_.fake().add_file("/elsewhere/" + name, true);
    return "/elsewhere/" + name;
  }
  void crash(const std::string& name) override {
    service_.fake().end_process(name, true);
    service_.settle();
  }
  void make_start_fail(const std::string& name) override {
    service_.fake().set_start_result(name, JobResult::kFailed);
  }
  void break_connection() override { service_.close(); }
  void mend_connection() override { service_.listen(); }

 private:
  TemporaryDirectory directory_;
  std::string path_ = directory_.path() + "/private";
  PollEventLoop loop_;
  FakeService service_{loop_, path_};
  Systemd1Client client_{loop_, {{ConnectionOptions::Kind::kPeer, path_}}};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Client, UnitManagerConformance, testing::Types<ClientHarness>);

TEST(Systemd1Client, ComesUpWhenTheSocketAppearsLater) {
  TemporaryDirectory directory;
  PollEventLoop loop;
  const std::string path = directory.path() + "/private";
  Systemd1ClientOptions options{{ConnectionOptions::Kind::kPeer, path}};
  // So long that only the appearing of the socket explains the connection.
  options.first_pause = base::Micros(3'600'000'000);
  options.longest_pause = options.first_pause;
  Systemd1Client client(loop, options);
  RecordingListener listener;
  base::RegistrationPtr subscription = client.subscribe(listener);
  loop.turn(base::Micros(0));
  loop.turn(base::Micros(0));
  EXPECT_FALSE(client.is_connected());
  const std::string built = directory.path() + "/building";
  FakeService service(loop, built);
  std::filesystem::rename(built, path);
  EXPECT_TRUE(loop.run_until([&] { return listener.connected == 1; }, kLimit));
}

TEST(Systemd1Client, DroppedCallsAreNeverAnswered) {
  TemporaryDirectory directory;
  PollEventLoop loop;
  const std::string path = directory.path() + "/private";
  FakeService service(loop, path);
  bool called = false;
  {
    Systemd1Client client(loop, {{ConnectionOptions::Kind::kPeer, path}});
    ASSERT_TRUE(loop.run_until([&] { return client.is_connected(); }, kLimit));
    client.list_units([&](Result<std::vector<UnitState>>) { called = true; });
  }
  for (int i = 0; i < 10; ++i) loop.turn(base::Micros(1000));
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace flotilla::bus
