#include "sandbox/names.h"

#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "base/name_table.h"
#include "unit/scalar.h"

namespace flotilla::sandbox {
namespace {

using base::find_by_name;
using base::find_name;
using base::NameTable;

constexpr NameTable<ProtectSystem, 4> kProtectSystem{{{"no", ProtectSystem::kNo},
                                                      {"yes", ProtectSystem::kYes},
                                                      {"full", ProtectSystem::kFull},
                                                      {"strict", ProtectSystem::kStrict}}};
constexpr NameTable<ProtectHome, 4> kProtectHome{{{"no", ProtectHome::kNo},
                                                  {"yes", ProtectHome::kYes},
                                                  {"read-only", ProtectHome::kReadOnly},
                                                  {"tmpfs", ProtectHome::kTmpfs}}};
constexpr NameTable<ProtectProc, 4> kProtectProc{{{"default", ProtectProc::kDefault},
                                                  {"noaccess", ProtectProc::kNoAccess},
                                                  {"invisible", ProtectProc::kInvisible},
                                                  {"ptraceable", ProtectProc::kPtraceable}}};
constexpr NameTable<ProcSubset, 2> kProcSubset{
    {{"all", ProcSubset::kAll}, {"pid", ProcSubset::kPid}}};
constexpr NameTable<uint64_t, 7> kNamespaces{{{"cgroup", CLONE_NEWCGROUP},
                                              {"ipc", CLONE_NEWIPC},
                                              {"net", CLONE_NEWNET},
                                              {"mnt", CLONE_NEWNS},
                                              {"pid", CLONE_NEWPID},
                                              {"user", CLONE_NEWUSER},
                                              {"uts", CLONE_NEWUTS}}};
static_assert((CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID |
               CLONE_NEWUSER | CLONE_NEWUTS) == kAllNamespaces);

#define FLOTILLA_FAMILY(name) \
  { #name, name }
constexpr NameTable<int, 46> kFamilies{{
    FLOTILLA_FAMILY(AF_UNIX),       FLOTILLA_FAMILY(AF_LOCAL),     FLOTILLA_FAMILY(AF_INET),
    FLOTILLA_FAMILY(AF_AX25),       FLOTILLA_FAMILY(AF_IPX),       FLOTILLA_FAMILY(AF_APPLETALK),
    FLOTILLA_FAMILY(AF_NETROM),     FLOTILLA_FAMILY(AF_BRIDGE),    FLOTILLA_FAMILY(AF_ATMPVC),
    FLOTILLA_FAMILY(AF_X25),        FLOTILLA_FAMILY(AF_INET6),     FLOTILLA_FAMILY(AF_ROSE),
    FLOTILLA_FAMILY(AF_DECnet),     FLOTILLA_FAMILY(AF_NETBEUI),   FLOTILLA_FAMILY(AF_SECURITY),
    FLOTILLA_FAMILY(AF_KEY),        FLOTILLA_FAMILY(AF_NETLINK),   FLOTILLA_FAMILY(AF_PACKET),
    FLOTILLA_FAMILY(AF_ASH),        FLOTILLA_FAMILY(AF_ECONET),    FLOTILLA_FAMILY(AF_ATMSVC),
    FLOTILLA_FAMILY(AF_RDS),        FLOTILLA_FAMILY(AF_SNA),       FLOTILLA_FAMILY(AF_IRDA),
    FLOTILLA_FAMILY(AF_PPPOX),      FLOTILLA_FAMILY(AF_WANPIPE),   FLOTILLA_FAMILY(AF_LLC),
    FLOTILLA_FAMILY(AF_IB),         FLOTILLA_FAMILY(AF_MPLS),      FLOTILLA_FAMILY(AF_CAN),
    FLOTILLA_FAMILY(AF_TIPC),       FLOTILLA_FAMILY(AF_BLUETOOTH), FLOTILLA_FAMILY(AF_IUCV),
    FLOTILLA_FAMILY(AF_RXRPC),      FLOTILLA_FAMILY(AF_ISDN),      FLOTILLA_FAMILY(AF_PHONET),
    FLOTILLA_FAMILY(AF_IEEE802154), FLOTILLA_FAMILY(AF_CAIF),      FLOTILLA_FAMILY(AF_ALG),
    FLOTILLA_FAMILY(AF_NFC),        FLOTILLA_FAMILY(AF_VSOCK),     FLOTILLA_FAMILY(AF_KCM),
    FLOTILLA_FAMILY(AF_QIPCRTR),    FLOTILLA_FAMILY(AF_SMC),       FLOTILLA_FAMILY(AF_XDP),
    FLOTILLA_FAMILY(AF_MCTP),
}};
#undef FLOTILLA_FAMILY

constexpr std::string_view kArchitectures[] = {
    "native", "x86",      "x86-64",     "x32",     "arm",       "arm64",         "loongarch64",
    "mips",   "mips64",   "mips64-n32", "mips-le", "mips64-le", "mips64-le-n32", "ppc",
    "ppc64",  "ppc64-le", "riscv64",    "s390",    "s390x",     "parisc",        "parisc64"};

}  // namespace

std::optional<ProtectSystem> parse_protect_system(std::string_view text) {
  if (const auto flag = unit::parse_boolean(text)) {
    return *flag ? ProtectSystem::kYes : ProtectSystem::kNo;
  }
  return find_by_name(kProtectSystem, text);
}
std::optional<ProtectHome> parse_protect_home(std::string_view text) {
  if (const auto flag = unit::parse_boolean(text)) {
    return *flag ? ProtectHome::kYes : ProtectHome::kNo;
  }
  return find_by_name(kProtectHome, text);
}
std::optional<ProtectProc> parse_protect_proc(std::string_view text) {
  return find_by_name(kProtectProc, text);
}
std::optional<ProcSubset> parse_proc_subset(std::string_view text) {
  return find_by_name(kProcSubset, text);
}
std::string_view to_string(ProtectSystem value) { return find_name(kProtectSystem, value); }
std::string_view to_string(ProtectHome value) { return find_name(kProtectHome, value); }
std::string_view to_string(ProtectProc value) { return find_name(kProtectProc, value); }
std::string_view to_string(ProcSubset value) { return find_name(kProcSubset, value); }

std::optional<int> parse_address_family(std::string_view name) {
  return find_by_name(kFamilies, name);
}
std::string address_family_name(int family) { return std::string(find_name(kFamilies, family)); }

std::optional<uint64_t> parse_namespace_type(std::string_view name) {
  return find_by_name(kNamespaces, name);
}

std::string namespace_words(uint64_t flags) { return base::names_of_bits(kNamespaces, flags); }

bool is_architecture(std::string_view name) {
  for (const std::string_view one : kArchitectures) {
    if (one == name) return true;
  }
  return false;
}

}  // namespace flotilla::sandbox
