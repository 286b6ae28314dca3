// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
// Part of every static plugin: ends calls that no plugin ever makes, but which would bring large parts of the C and C++
// libraries into each executable.
#include <cstdio>
#include <cstdlib>
#include <netdb.h>

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)

// libstdc++ would print the demangled name of an exception that nothing caught; run_plugin catches all of them.
namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() { std::abort(); }
}  // namespace __gnu_cxx

// The linker sends libnl's calls of these functions here (--wrap). No plugin gives libnl a host or protocol name to
// look up; glibc's versions need its resolver, and shared libraries at run time.
extern "C" {
int __wrap_getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found);
int __wrap_getnameinfo(const sockaddr* address, socklen_t length, char* host, socklen_t host_size, char* service,
                       socklen_t service_size, int flags);
void __wrap_freeaddrinfo(addrinfo* found);
protoent* __wrap_getprotobyname(const char* name);
protoent* __wrap_getprotobynumber(int number);

int __wrap_getaddrinfo(const char* /*node*/, const char* /*service*/, const addrinfo* /*hints*/, addrinfo** /*found*/) {
  return EAI_NONAME;
}
int __wrap_getnameinfo(const sockaddr* /*address*/, socklen_t /*length*/, char* /*host*/, socklen_t /*host_size*/,
                       char* /*service*/, socklen_t /*service_size*/, int /*flags*/) {
  return EAI_NONAME;
}
void __wrap_freeaddrinfo(addrinfo* /*found*/) {}
protoent* __wrap_getprotobyname(const char* /*name*/) { return nullptr; }
protoent* __wrap_getprotobynumber(int /*number*/) { return nullptr; }
}
// libnl takes text apart with these, which bring glibc's reading of floating-point numbers in all sizes and of wide
// characters: addresses given as text (nl_addr_parse), which no plugin gives it, and the units of packet schedulers
// (/proc/net/psched, nl_us2ticks). A plugin that shapes traffic will need the latter, and hear of it here. glibc has
// two names for each, the other since 2.38.
extern "C" {
int __wrap___isoc99_sscanf(const char* text, const char* format, ...);
int __wrap___isoc99_fscanf(FILE* file, const char* format, ...);
int __wrap___isoc23_sscanf(const char* text, const char* format, ...);
int __wrap___isoc23_fscanf(FILE* file, const char* format, ...);

int __wrap___isoc99_sscanf(const char* /*text*/, const char* /*format*/, ...) { std::abort(); }
int __wrap___isoc99_fscanf(FILE* /*file*/, const char* /*format*/, ...) { std::abort(); }
int __wrap___isoc23_sscanf(const char* /*text*/, const char* /*format*/, ...) { std::abort(); }
int __wrap___isoc23_fscanf(FILE* /*file*/, const char* /*format*/, ...) { std::abort(); }
}
// Before main, glibc asks /proc where the executable is, for "$ORIGIN" in the paths of shared objects: nobody has such
// paths here. This is its answer if it does not get to know.
extern "C" {
const char* __wrap__dl_get_origin();

// A pointer that is none, as glibc has it. NOLINTNEXTLINE(performance-no-int-to-ptr)
const char* __wrap__dl_get_origin() { return reinterpret_cast<const char*>(-1); }
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
