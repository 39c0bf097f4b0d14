// Properties of settings that this manager does not carry out. Of a unit that does without them
// they say what is true of it; where its files have such a setting the property is absent, and
// IgnoredDirectives= names it.
#pragma once

#include <algorithm>
#include <array>

#include "init/bus_table.h"

namespace flotilla::init {

namespace bus_unsupported {
using S = const BusSubject&;
using W = bus::MessageWriter&;

inline void nothing(S, W w) { w.string(""); }
inline void no_bytes(S, W w) { w.bytes(nullptr, 0); }
inline void no_words(S, W w) { w.open_array("s").close(); }
template <const char* Signature>
void empty(S, W w) {
  w.open_array(Signature).close();
}
inline void no_label(S, W w) { w.open_struct("bs").boolean(false).string("").close(); }
inline void no_list(S, W w) { w.open_struct("bas").boolean(false).open_array("s").close().close(); }
inline constexpr char kImage[] = "(sba(ss))", kMount[] = "(ssba(ss))", kOption[] = "(ss)";

bool is_unset(S s, std::string_view name);
template <const char* Name>
bool unless_set(S s) {
  return is_unset(s, Name);
}
}  // namespace bus_unsupported

#define FLOTILLA_UNSUPPORTED(X)                                    \
  X(USBFunctionDescriptors, "s", nothing)                          \
  X(USBFunctionStrings, "s", nothing)                              \
  X(RootImage, "s", nothing)                                       \
  X(RootImageOptions, "a(ss)", empty<bus_unsupported::kOption>)    \
  X(RootHash, "ay", no_bytes)                                      \
  X(RootHashPath, "s", nothing)                                    \
  X(RootHashSignature, "ay", no_bytes)                             \
  X(RootHashSignaturePath, "s", nothing)                           \
  X(RootVerity, "s", nothing)                                      \
  X(ExtensionDirectories, "as", no_words)                          \
  X(ExtensionImages, "a(sba(ss))", empty<bus_unsupported::kImage>) \
  X(MountImages, "a(ssba(ss))", empty<bus_unsupported::kMount>)    \
  X(SELinuxContext, "(bs)", no_label)                              \
  X(AppArmorProfile, "(bs)", no_label)                             \
  X(SmackProcessLabel, "(bs)", no_label)                           \
  X(RestrictFileSystems, "(bas)", no_list)

namespace bus_unsupported {
#define FLOTILLA_NAME(name, signature, writer) inline constexpr char k##name[] = #name;
FLOTILLA_UNSUPPORTED(FLOTILLA_NAME)
#undef FLOTILLA_NAME
}  // namespace bus_unsupported

#define FLOTILLA_ROW(name, signature, writer)                           \
  BusProperty{#name, signature, Emits::kConst, bus_unsupported::writer, \
              bus_unsupported::unless_set<bus_unsupported::k##name>},
inline constexpr auto kBusUnsupportedProperties =
    std::to_array<BusProperty>({FLOTILLA_UNSUPPORTED(FLOTILLA_ROW)});
#undef FLOTILLA_ROW
#undef FLOTILLA_UNSUPPORTED

}  // namespace flotilla::init
