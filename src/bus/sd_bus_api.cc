#include "bus/sd_bus_api.h"

#include <dlfcn.h>

#include <cassert>
#include <cstring>

namespace flotilla::bus {
namespace {

constexpr const char* kLibrary = "libsystemd.so.0";

SdBusApi g_api;
bool g_loaded = false;

template <typename Function>
bool find_function(void* library, const char* name, Function& function) {
  void* symbol = ::dlsym(library, name);
  static_assert(sizeof symbol == sizeof function);
  std::memcpy(&function, &symbol, sizeof function);
  return symbol != nullptr;
}

}  // namespace

base::Result<const SdBusApi*> load_sd_bus_api() {
  if (g_loaded) return &g_api;
  // Never closed again: the table points into it for the rest of the process's life.
  void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return base::unavailable("cannot open {} for D-Bus, install the package libsystemd0 ({})",
                             kLibrary, why != nullptr ? why : "no reason given");
  }
  SdBusApi api;
  const char* missing = nullptr;
#define FLOTILLA_FIND(name) \
  if (!find_function(library, #name, api.name)) missing = #name;
  FLOTILLA_SD_BUS_FUNCTIONS(FLOTILLA_FIND)
#undef FLOTILLA_FIND
  if (missing != nullptr) {
    ::dlclose(library);
    return base::unavailable("{} has no {}, install libsystemd0 of systemd 246 or newer", kLibrary,
                             missing);
  }
  g_api = api;
  g_loaded = true;
  return &g_api;
}

const SdBusApi& sd_bus_api() {
  assert(g_loaded);
  return g_api;
}

}  // namespace flotilla::bus
