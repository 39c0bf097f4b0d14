// The client that the agent uses, against the façade of a real manager: the same suite that the
// fake unit manager passes.

#include "bus/systemd1_client.h"
#include "bus/unit_manager_conformance.h"
#include "init/bus_test_world.h"

namespace flotilla::init {
namespace {

class FacadeHarness final : public bus::UnitManagerHarness {
 public:
  FacadeHarness() {
    world_.serve();
    client_ = std::make_unique<bus::Systemd1Client>(
        world_.event_loop(),
        bus::Systemd1ClientOptions{{bus::ConnectionOptions::Kind::kPeer, world_.socket_path()}});
  }

  bus::UnitManager& manager() override { return *client_; }
  bool run_until(const std::function<bool()>& condition) override {
    return world_.run_until(condition);
  }
  void install(const std::string& name) override { world_.add_unit(name, text_of(name)); }
  std::string make_file(const std::string& name) override {
    const std::string path = "/srv/" + name;
    world_.tree().add_file(path, text_of(name) + "[Install]\nWantedBy=multi-user.target\n");
    return path;
  }
  void crash(const std::string& name) override {
    ASSERT_TRUE(world_.manager().kill_unit(name, KillWhom::kMain, SIGSEGV).has_value());
  }
  void make_start_fail(const std::string& name) override {
    world_.spawner().fail_path(program_of(name), SpawnStage::kExec, ENOENT);
  }
  void break_connection() override { world_.stop_serving(); }
  void mend_connection() override { world_.serve(); }

 private:
  static std::string program_of(const std::string& name) { return "/bin/" + name; }
  std::string text_of(const std::string& name) {
    world_.tree().add_file(program_of(name), "", 0755);
    return "[Unit]\nDefaultDependencies=no\n[Service]\nType=exec\nExecStart=" + program_of(name) +
           "\n";
  }

  BusTestWorld world_;
  std::unique_ptr<bus::Systemd1Client> client_;
};

}  // namespace
}  // namespace flotilla::init

namespace flotilla::bus {
INSTANTIATE_TYPED_TEST_SUITE_P(BusFacade, UnitManagerConformance,
                               testing::Types<init::FacadeHarness>);
}  // namespace flotilla::bus
