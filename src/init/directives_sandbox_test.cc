#include <gmock/gmock.h>
#include <sys/socket.h>

#include "init/directives.h"
#include "init/directives_context.h"
#include "init/dynamic_users.h"
#include "init/sandbox_defaults.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SandboxDirectives : public testing::Test {
 protected:
  // The number of complaints.
  size_t set(std::string_view key, std::string_view value) {
    const DirectiveParser parser = find_parser("Service", key);
    if (parser == nullptr) return 1000;
    std::vector<unit::Diagnostic> diagnostics;
    const unit::Reporter reporter("a.service", 1, diagnostics);
    parser(unit_, SettingContext{specifiers_, reporter, key, marks_, false}, value);
    return diagnostics.size();
  }
  const sandbox::Settings& now() const { return *unit_.exec->sandbox; }

  UnitSettings unit_{*unit::UnitName::parse("a.service")};
  unit::HostValues host_;
  unit::SpecifierContext specifiers_{*unit::UnitName::parse("a.service"), &host_, {}, {}};
  SettingMarks marks_;
};

TEST_F(SandboxDirectives, TakeNoRoomUntilOneIsSetToWhatIsNotSoAnyway) {
  for (const char* key : {"PrivateTmp", "ProtectSystem", "RestrictRealtime", "DynamicUser"}) {
    EXPECT_EQ(set(key, "no"), 0u);
  }
  EXPECT_EQ(set("ReadWritePaths", ""), 0u);
  EXPECT_FALSE(unit_.exec->sandbox.is_set());
  EXPECT_EQ(set("PrivateTmp", "yes"), 0u);
  EXPECT_TRUE(now().private_tmp);
  EXPECT_EQ(set("PrivateTmp", "perhaps"), 1u);
  EXPECT_TRUE(now().private_tmp);
}

TEST_F(SandboxDirectives, ReadPathsWithTheirPrefixes) {
  EXPECT_EQ(set("ReadOnlyPaths", "+/etc -+/x//y/ /%n"), 0u);
  EXPECT_EQ(set("ReadOnlyPaths", "relative /a/../b"), 2u);
  EXPECT_THAT(now().read_only_paths, ElementsAre("+/etc", "-+/x/y", "/a.service"));
  EXPECT_EQ(set("ReadOnlyPaths", ""), 0u);
  EXPECT_THAT(now().read_only_paths, IsEmpty());
}

TEST_F(SandboxDirectives, ReadBindsWithDestinationAndOption) {
  EXPECT_EQ(set("BindPaths", "/a:/b:norbind -/c"), 0u);
  EXPECT_EQ(set("BindReadOnlyPaths", "/d:/e"), 0u);
  EXPECT_EQ(set("BindPaths", "/f:/g:loop"), 1u);
  EXPECT_THAT(now().bind_mounts, ElementsAre(sandbox::BindMount{"/a", "/b", false, false, false},
                                             sandbox::BindMount{"/c", "/c", false, true, true},
                                             sandbox::BindMount{"/d", "/e", true, true, false}));
}

TEST_F(SandboxDirectives, ReadCredentialsWithEscapesAndReplaceThoseOfTheSameName) {
  EXPECT_EQ(set("SetCredential", "a:x\\x00y\\n"), 0u);
  EXPECT_EQ(set("SetCredential", "b:"), 1u);
  EXPECT_EQ(set("SetCredential", "b"), 1u);
  EXPECT_EQ(set("SetCredential", "b:2:3"), 0u);
  EXPECT_EQ(set("SetCredential", "a/b:x"), 1u);
  EXPECT_THAT(now().set_credentials, ElementsAre(sandbox::Credential{"a", std::string("x\0y\n", 4)},
                                                 sandbox::Credential{"b", "2:3"}));
  EXPECT_EQ(set("LoadCredential", "c"), 0u);
  EXPECT_EQ(set("LoadCredential", "d:/etc/x"), 0u);
  EXPECT_EQ(set("LoadCredential", "e:a/b"), 1u);
  EXPECT_THAT(now().load_credentials,
              ElementsAre(sandbox::Credential{"c", "c"}, sandbox::Credential{"d", "/etc/x"}));
  // An id is encrypted or is not: the last line says.
  EXPECT_EQ(set("LoadCredentialEncrypted", "d:/etc/y"), 0u);
  EXPECT_EQ(set("SetCredentialEncrypted", "b: aGVs\tbG8="), 0u);
  EXPECT_EQ(set("SetCredentialEncrypted", "c:no base64!"), 1u);
  EXPECT_THAT(now().load_credentials,
              ElementsAre(sandbox::Credential{"c", "c"}, sandbox::Credential{"d", "/etc/y", true}));
  EXPECT_EQ(now().set_credentials.back(), (sandbox::Credential{"b", "hello", true}));
}

TEST_F(SandboxDirectives, LetTheFirstLineSayWhatKindOfListItIs) {
  EXPECT_EQ(set("RestrictAddressFamilies", "~AF_PACKET AF_UNIX"), 0u);
  EXPECT_EQ(set("RestrictAddressFamilies", "AF_UNIX"), 0u);
  EXPECT_EQ(set("RestrictAddressFamilies", "AF_WHAT"), 1u);
  EXPECT_FALSE(now().address_families.is_allow_list);
  EXPECT_THAT(now().address_families.families, ElementsAre(AF_PACKET));
  EXPECT_EQ(set("RestrictNamespaces", "~user"), 0u);
  EXPECT_EQ(now().allowed_namespaces, 0x6e020000u);
  EXPECT_EQ(set("RestrictNamespaces", "yes"), 0u);
  EXPECT_EQ(now().allowed_namespaces, 0u);
  EXPECT_EQ(set("RestrictNamespaces", "'net"), 1u);
  EXPECT_EQ(now().allowed_namespaces, 0u);
  EXPECT_EQ(set("SystemCallLog", "bogus"), 1u);
  EXPECT_THAT(now().syscall_log, ElementsAre());
  EXPECT_EQ(set("SystemCallFilter", "@clock open:EPERM bogus @bogus"), 3u);
  EXPECT_EQ(set("SystemCallFilter", "~open:EPERM"), 0u);
  EXPECT_THAT(now().syscall_filter, ElementsAre("@clock", "~open:EPERM"));
}

TEST_F(SandboxDirectives, AnUnknownRootIsNoOtherRoot) {
  EXPECT_EQ(set("RootDirectory", "/"), 0u);
  EXPECT_EQ(unit_.exec->root_directory, "/");
  EXPECT_FALSE(unit_.exec->has_other_root());
  EXPECT_EQ(set("RootDirectory", "/srv/"), 0u);
  EXPECT_EQ(unit_.exec->root_directory, "/srv");
  EXPECT_TRUE(unit_.exec->has_other_root());
}

TEST_F(SandboxDirectives, AUnitThatMayBeOfADynamicUserOrNotCannotBeUsed) {
  EXPECT_EQ(set("DynamicUser", "perhaps"), 1u);
  EXPECT_FALSE(marks_.fatal.empty());
}

TEST_F(SandboxDirectives, ADynamicUserIsAStrictSandbox) {
  EXPECT_EQ(set("DynamicUser", "yes"), 0u);
  EXPECT_EQ(set("ProtectSystem", "full"), 0u);
  EXPECT_EQ(set("ProtectKernelModules", "yes"), 0u);
  finish_sandbox(unit_);
  EXPECT_EQ(unit_.exec->user, "a");
  EXPECT_EQ(unit_.exec->group, "a");
  EXPECT_TRUE(now().private_tmp);
  EXPECT_TRUE(unit_.exec->no_new_privileges);
  EXPECT_EQ(now().protect_system, sandbox::ProtectSystem::kFull);
  EXPECT_EQ(now().protect_home, sandbox::ProtectHome::kReadOnly);
  EXPECT_EQ(unit_.exec->extras->capability_bounding_set, ~(uint64_t{1} << 16));
  EXPECT_THAT(unit_.extras->requires_mounts_for, ElementsAre("/var/tmp"));
}

TEST(DynamicUserNumbers, AreThoseOfSystemd) {
  EXPECT_EQ(preferred_dynamic_uid("a"), 63801u);
  EXPECT_EQ(preferred_dynamic_uid("my-app"), 64191u);
  EXPECT_EQ(preferred_dynamic_uid("x"), 62493u);
  EXPECT_EQ(dynamic_user_name(*unit::UnitName::parse("x@1.service")), "x");
  EXPECT_EQ(dynamic_user_name(*unit::UnitName::parse("1abc.service")), "_du46c11576cd06efe1");
  EXPECT_EQ(dynamic_user_name(*unit::UnitName::parse("a_b.c.service")), "_du039ab12b99f8bff4");
}

}  // namespace
}  // namespace flotilla::init
