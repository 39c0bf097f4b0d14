#include "sandbox/namespace_store.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace flotilla::sandbox {
namespace {

// A message of one byte with room for one descriptor.
class OneDescriptor {
 public:
  OneDescriptor() {
    message_.msg_iov = &data_;
    message_.msg_iovlen = 1;
    message_.msg_control = control_.data();
    message_.msg_controllen = control_.size();
  }
  OneDescriptor(const OneDescriptor&) = delete;
  OneDescriptor& operator=(const OneDescriptor&) = delete;

  msghdr* get() { return &message_; }
  cmsghdr* header() { return CMSG_FIRSTHDR(&message_); }

 private:
  char byte_ = 0;
  iovec data_{&byte_, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control_{};
  msghdr message_{};
};

}  // namespace

base::Status keep_namespace(int store, int fd) {
  OneDescriptor message;
  cmsghdr* const header = message.header();
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (::sendmsg(store, message.get(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    return base::system_error(errno, "keep a namespace");
  }
  return {};
}

base::Result<base::Fd> take_kept_namespace(int store) {
  OneDescriptor message;
  if (::recvmsg(store, message.get(), MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0) {
    if (errno == EAGAIN) return base::Fd();
    return base::system_error(errno, "read a kept namespace");
  }
  const cmsghdr* const header = message.header();
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return base::Fd();
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return base::Fd(fd);
}

}  // namespace flotilla::sandbox
