// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include <netdb.h>

// The linker sends libnl's calls of these four functions here (src/CMakeLists.txt). No plugin gives libnl a host or
// protocol name to look up; glibc's versions would bring its resolver, and a need for shared libraries, into a static
// executable.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
int __wrap_getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found);
void __wrap_freeaddrinfo(addrinfo* found);
protoent* __wrap_getprotobyname(const char* name);
protoent* __wrap_getprotobynumber(int number);

int __wrap_getaddrinfo(const char* /*node*/, const char* /*service*/, const addrinfo* /*hints*/, addrinfo** /*found*/) {
  return EAI_NONAME;
}
void __wrap_freeaddrinfo(addrinfo* /*found*/) {}
protoent* __wrap_getprotobyname(const char* /*name*/) { return nullptr; }
protoent* __wrap_getprotobynumber(int /*number*/) { return nullptr; }
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
