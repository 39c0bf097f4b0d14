#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace flotilla::base {

ErrorNames names_of(Errc code) noexcept {
  switch (code) {
    case Errc::kInvalid:
      return {400, "org.freedesktop.DBus.Error.InvalidArgs", 1};
    case Errc::kNotFound:
      return {404, "org.freedesktop.systemd1.NoSuchUnit", 1};
    case Errc::kAlreadyExists:
      return {409, "org.freedesktop.systemd1.UnitExists", 1};
    case Errc::kConflict:
      return {409, "org.freedesktop.DBus.Error.Failed", 1};
    case Errc::kDenied:
      return {403, "org.freedesktop.DBus.Error.AccessDenied", 1};
    case Errc::kTooLarge:
      return {413, "org.freedesktop.DBus.Error.LimitsExceeded", 1};
    case Errc::kUnavailable:
      return {503, "org.freedesktop.DBus.Error.Disconnected", 1};
    case Errc::kTimedOut:
      return {504, "org.freedesktop.DBus.Error.Timeout", 1};
    case Errc::kUnsupported:
      return {501, "org.freedesktop.DBus.Error.NotSupported", 1};
    case Errc::kInternal:
      break;
  }
  return {500, "org.freedesktop.DBus.Error.Failed", 1};
}

Errc errc_of_errno(int error_number) noexcept {
  switch (error_number) {
    case EINVAL:
    case ENAMETOOLONG:
    case ENOEXEC:
    case ENOTDIR:
    case ELOOP:
      return Errc::kInvalid;
    case ENOENT:
    case ESRCH:
    case ENXIO:
      return Errc::kNotFound;
    case EEXIST:
      return Errc::kAlreadyExists;
    case EPERM:
    case EACCES:
    case EROFS:
      return Errc::kDenied;
    case EFBIG:
    case E2BIG:
      return Errc::kTooLarge;
    case EAGAIN:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
      return Errc::kUnavailable;
    case ETIMEDOUT:
      return Errc::kTimedOut;
    case ENOSYS:
    case EOPNOTSUPP:
      return Errc::kUnsupported;
    default:
      return Errc::kInternal;
  }
}

std::string describe_errno(int error_number) {
  const char* text = strerrordesc_np(error_number);
  return text != nullptr ? std::string(text) : "error " + std::to_string(error_number);
}

}  // namespace flotilla::base
