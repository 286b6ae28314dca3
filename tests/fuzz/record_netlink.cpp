// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// Does what netlink_fuzz.cpp does with the real kernel and writes its answers down: record_netlink <folder>.
#include <dlfcn.h>
#include <fstream>
#include <iostream>
#include <sys/socket.h>
#include <sys/uio.h>

#include "fuzz/netlink_answers.hpp"
#include "fuzz/netlink_operations.hpp"
#include "support/forged_kernel/messages.hpp"

namespace cnio::fuzz {
namespace {

struct Record {
  std::string input;
  uint32_t sequence = 0;
};

Record& record() {
  static Record instance;
  return instance;
}

template <class Function>
Function real(Function /*ours*/, const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void heard(const void* data, ssize_t size) {
  if (size <= 0) return;
  std::string answer(static_cast<const char*>(data), static_cast<size_t>(size));
  test::renumber(answer, record().sequence, 0);
  append_answer(record().input, answer);
}

void record_all(const std::string& folder) {
  const auto& operations = netlink_operations();
  for (size_t i = 0; i < operations.size(); ++i) {
    record() = {std::string(1, static_cast<char>(i)), 0};
    operations[i].run();
    std::ofstream(folder + "/" + std::string(operations[i].name), std::ios::binary) << record().input;
    std::cout << operations[i].name << ": " << record().input.size() << " bytes\n";
  }
}

}  // namespace
}  // namespace cnio::fuzz

// ---- around the C library's

extern "C" ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* to, socklen_t to_size) {
  cnio::fuzz::record().sequence = cnio::test::sequence_of({static_cast<const char*>(data), size});
  return cnio::fuzz::real(&sendto, "sendto")(fd, data, size, flags, to, to_size);
}

extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  cnio::fuzz::record().sequence =
      cnio::test::sequence_of({static_cast<const char*>(message->msg_iov[0].iov_base), message->msg_iov[0].iov_len});
  return cnio::fuzz::real(&sendmsg, "sendmsg")(fd, message, flags);
}

extern "C" ssize_t recv(int fd, void* to, size_t room, int flags) {
  const ssize_t got = cnio::fuzz::real(&recv, "recv")(fd, to, room, flags);
  cnio::fuzz::heard(to, got);
  return got;
}

extern "C" ssize_t recvmsg(int fd, msghdr* message, int flags) {
  const ssize_t got = cnio::fuzz::real(&recvmsg, "recvmsg")(fd, message, flags);
  cnio::fuzz::heard(message->msg_iov[0].iov_base, got);
  return got;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: record_netlink <folder>; tests/fuzz/record-netlink sets up what it asks for\n";
    return 2;
  }
  cnio::fuzz::record_all(argv[1]);
  return 0;
}
